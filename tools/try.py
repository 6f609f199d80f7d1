"""See masks within a minute, of the model that comes with mmris.

    mmris try

The pictures are new ShapeRef scenes, and the sentences mean one object each. Nothing is selected, and nothing is
downloaded. Pictures, masks and a sheet are written to work_dirs/try.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least

# Any but 0, by which the scenes of the training are made.
DEFAULT_SEED = 1


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--out', default='work_dirs/try', help='folder for the pictures (default: %(default)s)')
    parser.add_argument('--number', type=at_least(1), default=4, help='how many pictures (default: %(default)s)')
    parser.add_argument('--seed', type=at_least(1), default=DEFAULT_SEED, help='which ones (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
