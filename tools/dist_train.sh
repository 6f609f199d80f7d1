#!/usr/bin/env bash
# Train on several GPUs, or processors where there are none:
#     bash tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Several machines: run it on each, with NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT set.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
config=$1 processes=$2
exec "${PYTHON:-python}" -m mmris.utils.processes \
    --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node "$processes" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
