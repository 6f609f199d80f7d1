"""Draw the curves of one training, or of several over one another, and sum them up.

    mmris analyze_logs work_dirs/vit-tiny_shaperef --out curves.png
    mmris analyze_logs work_dirs/one work_dirs/other --keys loss_bce mIoU
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work folder of a training, with all restarts')
    parser.add_argument('--keys', nargs='+', help='what to draw, such as loss_bce mIoU (default: what matters most)')
    parser.add_argument('--out', default='curves.png', help='picture to write (default: %(default)s)')
    parser.add_argument('--json', help='JSON file for summaries and all that was logged')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
