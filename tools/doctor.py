"""Say what is installed, what models can run on, and what is wrong.

    mmris doctor
    mmris doctor --json
    mmris doctor --licences

It works where the OpenMMLab stack, torch or anything else is missing or broken. It ends with status 1 if something is
wrong, and says what to do.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--json', action='store_true', help='print it as JSON')
    parser.add_argument(
        '--licences', action='store_true', help='list instead the installed packages that mmris depends on, with their '
        'licences and the extras that ask for them')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
