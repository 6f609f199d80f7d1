"""Train a model.

    python tools/train.py configs/cm_masksd/vit-tiny_shaperef.py
    bash tools/dist_train.sh configs/cm_masksd/vit-b_refcoco.py 8
"""

import argparse

import mmris  # noqa: F401
from mmris.registry import RUNNERS
from mmris.utils.configs import add_config_arguments, name_work_dir, read_config
from mmris.utils.launching import (
    add_launcher_arguments,
    add_training_arguments,
    check_trainable,
    destroy_process_group,
    set_launcher,
    set_training,
)
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model.')
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    add_training_arguments(parser)
    add_launcher_arguments(parser)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    config = read_config(arguments)
    check_trainable(config, arguments.config)
    set_launcher(config, arguments)
    set_training(config, arguments)
    name_work_dir(config, arguments.config, arguments.work_dir)
    RUNNERS.build(config).train()
    destroy_process_group()


if __name__ == '__main__':
    run_tool(main)
