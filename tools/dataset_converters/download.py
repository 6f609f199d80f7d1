"""Download RefCOCO, its relatives and their images, or list them.

    mmris download
    mmris download refcoco coco-train2014

If you interrupt it, run it again and it continues where it stopped. Files that you put into the folder by hand are
used. It ends with status 1 if a set is broken or its counts differ from the published ones, 2 if it fails.
"""

from pathlib import Path

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser, suggest
from mmris.names import DOWNLOADS


def add_arguments(parser: CommandParser) -> None:
    suggest(
        parser.add_argument(
            'names', nargs='*', metavar='NAME',
            help=f'what to download: {", ".join(DOWNLOADS)}; "list", or none, lists all'), DOWNLOADS)
    parser.add_argument('--root', type=Path, default=Path('data'), help='folder of all data (default: data)')
    parser.add_argument('--keep-archives', action='store_true', help='keep archives after they are unpacked')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
