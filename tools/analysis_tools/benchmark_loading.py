"""Measure the memory that loading weights takes, over the weights themselves.

    mmris benchmark_loading configs/evf_sam/evf-sam.py --layout evf_sam --stored float16

Makes a file of the model's full size with made-up values, unless one is named, and loads it in a process of its own for
each type of numbers. Linux alone tells how much memory a process takes.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import DTYPES, PUBLISHED_NAMES

# Of whole models alone; the first of a model is ours.
LAYOUTS = ('mmris', *(name for model in PUBLISHED_NAMES.values() if model.is_whole for name in model.written[1:]))


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--file', help='file or folder to load (default: one that is made)')
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        default=LAYOUTS[0],
        help='layout of the file that is made (default: %(default)s)')
    parser.add_argument(
        '--stored', choices=DTYPES, default='float32', help='its type of numbers (default: %(default)s)')
    parser.add_argument(
        '--suffix', choices=('.safetensors', '.bin'), default='.bin', help='its kind (default: %(default)s)')
    parser.add_argument(
        '--dtype', choices=DTYPES, nargs='+', default=['float32', 'float16'], help='types to load it in, one after the '
        'other (default: float32 float16)')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
