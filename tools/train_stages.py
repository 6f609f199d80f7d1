"""Train configs in stages, each from the best checkpoint of the one before.

    mmris train_stages configs/risclip/vit-b_refcoco_stage1.py configs/risclip/vit-b_refcoco_stage2.py \
        --processes 8

What a config begins from it says itself: its load_from, or its encoder's pretrained, names the work folder of the one
before. Killed at any moment, the same command goes on in the right stage.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_data_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('configs', nargs='+', help='config files in their order, or mmris::FOLDER/NAME.py')
    add_data_arguments(parser)
    parser.add_argument(
        '--processes', type=at_least(1), default=1, help='processes of a training, one a GPU (default: 1)')
    parser.add_argument(
        '--train-options', default='', help='further options of train.py for all stages: --train-options="--amp --ema"')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
