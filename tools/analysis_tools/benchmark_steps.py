"""Measure a training and an evaluation step: time, images a second, memory.

    mmris benchmark_steps configs/cm_masksd/vit-b_refcoco.py --amp bfloat16

Random weights and random images of COCO's size, loaded beforehand, so that the model alone is measured; --batch-size
and --cfg-options change the config as for a training. On a GPU if there is one.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import PRECISIONS
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--batch-size', type=at_least(1), help='images a step, in both (default: the config\'s)')
    parser.add_argument(
        '--steps',
        type=at_least(1),
        default=20,
        help='steps measured, after as many to warm up as a fifth of them (default: %(default)s)')
    parser.add_argument('--amp', choices=PRECISIONS, help='mixed precision, in both; float16 needs a GPU')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
