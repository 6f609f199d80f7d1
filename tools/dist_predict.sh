#!/usr/bin/env bash
# Predict for many images on several GPUs, or processors where there are none:
#     bash tools/dist_predict.sh CONFIG CHECKPOINT PROCESSES [inputs and options of tools/predict_images.py]
# Several machines: run it on each, with NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT set, and --out on a shared disk.
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
config=$1 checkpoint=$2 processes=$3
exec "${PYTHON:-python}" -m mmris.utils.processes \
    --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node "$processes" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}" \
    "$(dirname "$0")/predict_images.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
