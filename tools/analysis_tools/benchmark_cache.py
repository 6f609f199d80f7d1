"""Measure a training step with a filled feature cache, beside one without frozen towers.

    mmris benchmark_cache configs/evf_sam/vit-h_beit3-l_refcoco.py --amp bfloat16

The bound is a step that gets the features of its batch for nothing. Random weights and random images of COCO's size,
loaded beforehand, so that the model and the cache alone are measured. The cache is in a temporary folder, which TMPDIR
moves. On a GPU if there is one.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import DTYPES, PRECISIONS
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--batch-size', type=at_least(1), help='images a step (default: the config\'s)')
    parser.add_argument(
        '--steps',
        type=at_least(1),
        default=20,
        help='steps measured of each kind, after as many to warm up as a fifth of them (default: %(default)s)')
    parser.add_argument('--amp', choices=PRECISIONS, help='mixed precision; float16 needs a GPU')
    parser.add_argument(
        '--stored', choices=DTYPES, default='float32', help='type of numbers in the cache (default: %(default)s)')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
