#!/usr/bin/env bash
# Train as a job of Slurm, on GPUS in all (default 8) with GPUS_PER_NODE (8) and CPUS_PER_TASK (5):
#     GPUS=16 bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# SRUN_ARGS holds further options of srun, such as --time. With --signal=USR1@120 among them, the training saves two
# minutes before its time is over, and the same command with --resume continues it. docs/training_at_scale.md has a
# batch script that continues by itself.
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,6s/^# //p' "$0" >&2; exit 2; fi
partition=$1 job_name=$2 config=$3
gpus=${GPUS:-8} gpus_per_node=${GPUS_PER_NODE:-8}
gpus_per_node=$((gpus < gpus_per_node ? gpus : gpus_per_node))
# SRUN_ARGS is several words on purpose.
exec srun --partition="$partition" --job-name="$job_name" --gres="gpu:$gpus_per_node" --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" --launcher slurm "${@:4}"
