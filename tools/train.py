"""Train a model.

    python tools/train.py configs/cm_masksd/vit-tiny_shaperef.py
    torchrun --nproc-per-node 8 tools/train.py configs/cm_masksd/vit-b_refcoco.py --launcher pytorch
"""

import argparse
import os

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmris  # noqa: F401
from mmris.utils.configs import check_inputs, enable_mixed_precision, name_work_dir


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument('--resume', action='store_true', help='go on from the last checkpoint in the work folder')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (needs a GPU)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='change values of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    # torch.distributed.launch passes this one.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    return arguments


def main() -> None:
    arguments = parse_arguments()
    check_inputs(config=arguments.config)
    config = Config.fromfile(arguments.config)
    config.launcher = arguments.launcher
    if arguments.cfg_options is not None:
        config.merge_from_dict(arguments.cfg_options)
    name_work_dir(config, arguments.config, arguments.work_dir)
    if arguments.amp:
        enable_mixed_precision(config)
    config.resume = arguments.resume
    Runner.from_cfg(config).train()


if __name__ == '__main__':
    main()
