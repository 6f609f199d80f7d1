"""From nothing to masks: make ShapeRef, train CM-MaskSD on it, evaluate, draw.

Each step is a command that can be typed by itself, and is printed as such. A demo that was interrupted goes on where
it was.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--data', default='data/shaperef', help='folder of ShapeRef (default: %(default)s)')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='folder of the results (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
