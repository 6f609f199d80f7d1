"""Draw a sheet of predictions beside the ground truth.

    mmris draw_predictions configs/cm_masksd/vit-tiny_shaperef.py \
        work_dirs/demo/best_mIoU_epoch_4.pth --split val --number 12 --out predictions.png
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_compile_argument, add_model_arguments, add_prediction_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_model_arguments(parser)
    parser.add_argument('--split', default='val', help='split, or evaluation of the config (default: %(default)s)')
    parser.add_argument('--number', type=at_least(1), default=12, help='how many expressions (default: %(default)s)')
    parser.add_argument('--seed', type=at_least(0), default=0, help='which ones are drawn (default: %(default)s)')
    add_prediction_arguments(parser)
    add_compile_argument(parser)
    parser.add_argument('--out', default='predictions.png', help='picture to write (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
