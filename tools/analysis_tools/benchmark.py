"""Measure all ratios of docs/benchmarks.md beside what arithmetic allows.

    mmris benchmark --brief
    make bench

On one thread, with random weights and made-up images, and the model that comes with mmris. Each ratio is taken in one
run, by turns, so that it hardly depends on the machine. The exit status is 1 if a goal is not reached.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import BENCHMARKS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--brief', action='store_true', help='small models, in five minutes instead of half an hour')
    parser.add_argument('--only', nargs='+', choices=BENCHMARKS, help='these alone (default: all)')
    parser.add_argument(
        '--out', help='JSON file for the results, written as they come; if it is there, they are compared with it')
    parser.add_argument('--docs', help='Markdown page whose table is replaced by the results')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
