"""Write a model as ONNX graphs, which run without PyTorch.

    mmris export --model cm-masksd-shaperef --out exported
    mmris export CONFIG CHECKPOINT --out exported --forms float32 int8

The folder holds one graph for images, one for any number of sentences, and a card. `mmris.runtime.OnnxPredictor` reads
it. At the end the graphs are compared with PyTorch on a picture.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_model_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import EXPORT_FORMS
from mmris.utils.arguments import probability


def add_arguments(parser: CommandParser) -> None:
    add_model_arguments(parser)
    parser.add_argument('--out', required=True, metavar='FOLDER', help='folder for the graphs and the card')
    parser.add_argument(
        '--forms', nargs='+', choices=EXPORT_FORMS, default=['float32'], help='of the weights: float16 halves the '
        'files, int8 rounds the weights of linear maps (default: float32)')
    parser.add_argument('--image', help='image file to compare with PyTorch on (default: one that comes with mmris)')
    parser.add_argument(
        '--threshold', type=probability, help='probability above which a pixel belongs to a mask '
        '(default: that of the config\'s scores)')
    parser.add_argument(
        '--existence-threshold', type=probability, help='nothing fits if an existence head is less sure than this '
        'that something does (default: that of the config\'s scores)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
