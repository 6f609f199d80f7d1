"""Draw what a model sees: inputs after the pipeline, sentences as tokenised, masks.

Before them come the instance masks of the image, where the config takes them.

    mmris browse_dataset configs/cm_masksd/vit-tiny_shaperef.py --split train --number 12
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--loader', choices=['train', 'val', 'test'], default='train', help='whose pipeline to use')
    parser.add_argument('--split', help='split (default: the loader\'s)')
    parser.add_argument('--number', type=at_least(1), default=12, help='how many images (default: %(default)s)')
    parser.add_argument(
        '--epoch', type=at_least(0), default=0, help='whose draw of sentences to show (default: %(default)s)')
    parser.add_argument('--out', default='browse.png', help='picture to write (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
