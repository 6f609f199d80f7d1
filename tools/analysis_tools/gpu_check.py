"""Measure and check what mmris does on a GPU, without data, weights or network.

    mmris gpu_check --out work_dirs/gpu_check

Speed, memory, mixed precision, distribution, restarts; at most --limit-seconds. The folder gets gpu_check.md and
gpu_check.json, which hold all results so far after each part, and the output of each part in logs. Exit status 1: a
part failed.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import GPU_CHECKS
from mmris.utils.arguments import above_zero, at_least


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--out', default='work_dirs/gpu_check', help='folder for the report (default: %(default)s)')
    parser.add_argument(
        '--device', choices=('cuda', 'cpu'), default='cuda',
        help='cpu rehearses the check, with --brief in minutes (default: %(default)s)')
    parser.add_argument('--brief', action='store_true', help='small models and few samples, to see that all of it runs')
    parser.add_argument('--only', nargs='+', choices=GPU_CHECKS, metavar='PART',
                        help=f'parts to run: {", ".join(GPU_CHECKS)} (default: all)')
    parser.add_argument(
        '--limit-seconds', type=at_least(1), default=480,
        help='the whole check ends after that; parts that no longer fit are skipped (default: %(default)s)')
    parser.add_argument(
        '--peak', type=above_zero, metavar='TFLOPS',
        help='dense bfloat16 peak of the card (default: that of its name, if mmris knows the card)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
