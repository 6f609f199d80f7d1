#!/usr/bin/env bash
# Predict for many images as a job of Slurm, on GPUS in all (default 8) with GPUS_PER_NODE (8) and CPUS_PER_TASK (5):
#     GPUS=4 bash tools/slurm_predict.sh PARTITION JOB_NAME CONFIG CHECKPOINT [inputs and options of predict_images.py]
# SRUN_ARGS holds further options of srun, such as --time.
set -euo pipefail
if [ $# -lt 4 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
partition=$1 job_name=$2 config=$3 checkpoint=$4
gpus=${GPUS:-8} gpus_per_node=${GPUS_PER_NODE:-8}
gpus_per_node=$((gpus < gpus_per_node ? gpus : gpus_per_node))
# SRUN_ARGS is several words on purpose.
exec srun --partition="$partition" --job-name="$job_name" --gres="gpu:$gpus_per_node" --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/predict_images.py" "$config" "$checkpoint" --launcher slurm "${@:5}"
