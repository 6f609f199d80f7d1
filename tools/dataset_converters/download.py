"""Download RefCOCO, its relatives and their images, or list them.

    python -m mmris download
    python -m mmris download refcoco coco-train2014

If you interrupt it, run it again and it continues where it stopped. Files that you put into the folder by hand are
used. It ends with status 1 if a set is broken or its counts differ from the published ones, 2 if it fails.
"""

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from mmris.datasets.downloading import DATA_SETS, DataSet, check_downloaded, fetch_sets, get_data_set, next_command
from mmris.datasets.downloading.sizes import in_words
from mmris.utils.tables import markdown_table
from mmris.utils.tool import run_tool

HEADING = ('name', 'what', 'size', 'licence', 'address')
INTERRUPTED = 130


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Download data sets and check them, or list them.')
    parser.add_argument(
        'names', nargs='*', metavar='NAME',
        help=f'what to download: {", ".join(DATA_SETS)}; "list", or none, lists all')
    parser.add_argument('--root', type=Path, default=Path('data'), help='folder of all data (default: data)')
    parser.add_argument('--keep-archives', action='store_true', help='keep archives after they are unpacked')
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> int:
    options = parse_arguments(arguments)
    if not options.names or options.names == ['list']:
        print(markdown_table(HEADING, [row for one in DATA_SETS.values() for row in describe(one)], numbers=False))
        return 0
    sets = list(dict.fromkeys(get_data_set(name) for name in options.names))
    try:
        fetch_sets(sets, options.root, keep_archives=options.keep_archives, say=say)
    except KeyboardInterrupt:
        print('Interrupted. Run the same command again: it continues where it stopped.', file=sys.stderr)
        return INTERRUPTED
    results = [check_downloaded(one, options.root, say) for one in sets]
    command = next_command(sets, options.root)
    if command is not None:
        say(f'\nNext:\n    {command}')
    return 0 if all(results) else 1


def describe(one: DataSet) -> List[tuple]:
    """Rows of the table: a line for each file, the first one with all about the set."""
    rows = [('', '', size(source.size), '', source.address) for source in one.sources]
    return [(one.name, one.what, rows[0][2], one.licence, rows[0][4]), *rows[1:]]


def size(number: Optional[int]) -> str:
    """A file's size."""
    return 'not known' if number is None else in_words(number)


def say(line: str) -> None:
    """Print a line at once, also into a file."""
    print(line, flush=True)


if __name__ == '__main__':
    run_tool(main)
