"""Measure exported models: size, time and agreement of each form, beside PyTorch in float32.

    mmris benchmark_export configs/cm_masksd/vit-b_refcoco.py configs/cris/rn101_refcoco.py
    mmris benchmark_export cm-masksd-shaperef CONFIG=CHECKPOINT --images 200

A config alone gets random weights. With trained weights, masks on images of the config's val split are compared too.
One thread, on the processor; all forms take turns, so that what else the machine does hardly touches their ratios.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_data_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import EXPORT_FORMS
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        'models', nargs='+', metavar='MODEL', help='config (random weights), CONFIG=CHECKPOINT, or a name of `mmris '
        'models`')
    add_data_arguments(parser)
    parser.add_argument(
        '--forms', nargs='+', choices=EXPORT_FORMS, default=list(EXPORT_FORMS), help='(default: all of them)')
    parser.add_argument(
        '--sentences', type=at_least(1), default=7, help='sentences about the image (default: %(default)s, as RefCOCO)')
    parser.add_argument('--repetitions', type=at_least(1), default=5, help='how often each (default: %(default)s)')
    parser.add_argument(
        '--images', type=at_least(1), default=100, help='images of the val split for the comparison of masks, for '
        'trained weights (default: %(default)s)')
    parser.add_argument('--out', metavar='FILE', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
