"""Write the weights of a checkpoint alone, to give away.

    mmris publish_model work_dirs/vit-b_refcoco/best_mIoU_epoch_90.pth models/vit-b_refcoco
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import WEIGHT_FORMATS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('checkpoint', help='checkpoint file, or a name of `mmris models`')
    parser.add_argument(
        'out', help='begin of the new files\' paths, to which the first digits of their SHA-256 and a suffix are added')
    parser.add_argument(
        '--config', metavar='NAME', help='config that it was trained with (default: the one that the checkpoint names)')
    parser.add_argument(
        '--formats', nargs='+', choices=WEIGHT_FORMATS, default=WEIGHT_FORMATS,
        help='formats to write (default: all of them)')
    parser.add_argument(
        '--half', action='store_true', help='write floating-point weights as float16, which halves the files')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
