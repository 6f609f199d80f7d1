"""Train a model.

    mmris train configs/cm_masksd/vit-tiny_shaperef.py
    bash tools/dist_train.sh configs/cm_masksd/vit-b_refcoco.py 8
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments, add_launcher_arguments, add_training_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    add_training_arguments(parser)
    add_launcher_arguments(parser)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
