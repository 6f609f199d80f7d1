"""Befall trainings with all faults, and print a table of what came of each, as Markdown.

    python -m tests.faults [NAME ...] [--processes 1 2] [--out FILE]
"""

import argparse
import tempfile
from pathlib import Path

from tests.faults.running import Harness
from tests.faults.table import COMPLETED, FAULTS, STOPPED, Fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('names', nargs='*', choices=[[], *FAULTS], default=[], metavar='NAME')
    parser.add_argument('--processes', nargs='+', type=int, default=[1, 2])
    parser.add_argument('--out', type=Path, help='write the table there too')
    arguments = parser.parse_args()
    rows, failed = [], 0
    with tempfile.TemporaryDirectory(prefix='mmris-faults-') as folder:
        harness = Harness(Path(folder))
        for name in arguments.names or FAULTS:
            cells = []
            for processes in arguments.processes:
                cells.append(befall(harness, name, processes))
                print(f'{name}, {processes} processes: {cells[-1]}', flush=True)
                failed += cells[-1].startswith('**')
            rows.append(f'| {FAULTS[name].what} | {" | ".join(cells)} |')
    head = ' | '.join('1 process' if one == 1 else f'{one} processes' for one in arguments.processes)
    table = '\n'.join([f'| fault | {head} |', f'|---|{"---|" * len(arguments.processes)}', *rows])
    print(table)
    if arguments.out:
        arguments.out.write_text(f'{table}\n')
    return 1 if failed else 0


def befall(harness: Harness, name: str, processes: int) -> str:
    fault = FAULTS[name]
    if processes not in fault.processes:
        return 'cannot happen'
    try:
        harness.befall(name, processes)
    except AssertionError as error:
        print(f'{name}: {error}', flush=True)
        return '**not as it should be**'
    return describe(fault)


def describe(fault: Fault) -> str:
    if fault.outcome == COMPLETED:
        return 'goes on' + (' and says so' if fault.says else '') + '; same bits'
    if fault.outcome == STOPPED:
        return 'saves, ends with status 0; resumed, same bits'
    ends = 'ends with a message' if fault.says else 'ends'
    return f'{ends}; resumed, same bits'


if __name__ == '__main__':
    raise SystemExit(main())
