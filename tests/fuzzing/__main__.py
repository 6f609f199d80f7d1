"""Fuzz what reads files of strangers, each target in a process of its own.

For any bytes, a reader gives a right result, or raises an error of ours that names the file. It takes no more than 10 s
and 2 GiB, writes nothing outside its folder, and runs nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from .running import check_seeds, fuzz_targets, load_targets, table


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m tests.fuzzing', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('targets', nargs='*', metavar='TARGET', help='names, or beginnings of them (default: all)')
    parser.add_argument('--seconds', type=float, default=120, help='of each target (default: 120)')
    parser.add_argument('--jobs', type=int, default=1, help='targets at a time (default: 1)')
    parser.add_argument('--corpus', type=Path, help='folder of inputs by target, to begin from and to add to; finds '
                        'go to its folder `finds` (default: a new folder)')
    parser.add_argument('--seeds', action='store_true', help='read seeds, past finds and those of --corpus alone, '
                        'without atheris')
    parser.add_argument('--list', action='store_true', help='list the targets')
    arguments = parser.parse_args()
    targets = [one for one in load_targets(instrument=not (arguments.seeds or arguments.list))
               if not arguments.targets or one.name.startswith(tuple(arguments.targets))]
    if not targets:
        parser.error(f'no target begins with {" or ".join(arguments.targets)}: see --list')
    if arguments.list:
        print('\n'.join(f'{one.name:24} {", ".join(one.readers)}' for one in targets))
        return 0
    corpus = arguments.corpus or Path(tempfile.mkdtemp(prefix='mmris-fuzzing-'))
    if arguments.seeds:
        results = check_seeds(targets, corpus)
    else:
        results = fuzz_targets(targets, corpus, arguments.seconds, arguments.jobs)
    print(table(results))
    finds = sum(result.finds for result in results)
    if finds:
        print(f'{finds} finds are in {corpus / "finds"}.')
    return int(finds > 0)


if __name__ == '__main__':
    sys.exit(main())
