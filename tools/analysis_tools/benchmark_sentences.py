"""Measure sentences of an image together over one by one, beside multiply-adds.

    mmris benchmark_sentences configs/evf_sam/vit-h_beit3-l_refcoco.py --sentences 7

One by one, the image is encoded again for each sentence. Random weights, and an image and sentences of the config's
input size, made beforehand: from the input to the logits, the model alone is measured. Both ways take turns, so that
what else the machine does hardly touches their ratio. On a GPU if there is one.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.names import PRECISIONS
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument(
        '--sentences', type=at_least(2), default=7, help='sentences about the image (default: %(default)s, as RefCOCO)')
    parser.add_argument('--repetitions', type=at_least(1), default=5, help='how often each (default: %(default)s)')
    parser.add_argument(
        '--shape',
        nargs=2,
        type=at_least(1),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the input in pixels (default: that of the config\'s test pipeline)')
    parser.add_argument(
        '--tokens', type=at_least(1), help='tokens of a sentence (default: those of the config\'s test pipeline)')
    parser.add_argument(
        '--instances', type=int, default=0, help='instance masks, for models that they enter (default: %(default)s)')
    parser.add_argument('--amp', choices=PRECISIONS, help='mixed precision, in both')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
