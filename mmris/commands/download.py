"""The work of ``mmris download``."""

import argparse
import sys
from typing import List, Optional

from mmris.datasets.downloading import DATA_SETS, DataSet, check_downloaded, fetch_sets, get_data_set, next_command
from mmris.utils.sizes import in_words
from mmris.utils.tables import markdown_table

HEADING = ('name', 'what', 'size', 'licence', 'address')
INTERRUPTED = 130


def main(options: argparse.Namespace) -> int:
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
