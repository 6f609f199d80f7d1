"""Draw where a model looks for a sentence.

The attention of encoder, neck and decoder is drawn beside the prediction.

    mmris attention_maps configs/shared_ris/tiny_shaperef.py \
        work_dirs/tiny_shaperef/best_mIoU_epoch_4.pth photo.jpg "the red circle" "the star on the left" \
        --out attention.png
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_image_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_image_arguments(parser, 'a row each')
    parser.add_argument(
        '--brief', action='store_true', help='as Shared-RIS shows it: last layers, and the mean over a neck\'s stages')
    parser.add_argument('--out', default='attention.png', help='picture to write (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
