"""Train a model.

    python tools/train.py configs/cm_masksd/vit-tiny_shaperef.py
    torchrun --nproc-per-node 8 tools/train.py configs/cm_masksd/vit-b_refcoco.py --launcher pytorch
"""

import argparse
import os

from mmengine.runner import Runner

import mmris  # noqa: F401
from mmris.utils.configs import (
    add_config_arguments,
    add_launcher_arguments,
    enable_mixed_precision,
    name_work_dir,
    read_config,
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model.')
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument('--resume', action='store_true', help='go on from the last checkpoint in the work folder')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the rate by the batch over all GPUs to the config\'s base')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (needs a GPU)')
    add_launcher_arguments(parser)
    arguments = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    return arguments


def main() -> None:
    arguments = parse_arguments()
    config = read_config(arguments)
    config.launcher = arguments.launcher
    name_work_dir(config, arguments.config, arguments.work_dir)
    if arguments.amp:
        enable_mixed_precision(config)
    if arguments.resume:
        config.resume = True
    if arguments.auto_scale_lr:
        config.auto_scale_lr.enable = True
    Runner.from_cfg(config).train()


if __name__ == '__main__':
    main()
