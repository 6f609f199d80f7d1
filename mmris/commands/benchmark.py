"""The work of ``mmris benchmark``."""

import argparse
import time
from pathlib import Path

import torch

from mmris.benchmarks.cases import CASES
from mmris.benchmarks.report import (
    compare,
    format_entries,
    kept_results,
    read_before,
    read_page,
    to_entry,
    write_docs,
)
from mmris.utils.configs import check_output
from mmris.utils.json_files import write_json_file
from mmris.utils.machine import machine_name


def main(options: argparse.Namespace) -> int:
    check_output(options.out)
    if torch.cuda.is_available():
        raise ValueError('mmris benchmark measures on one thread of a processor, and there is a GPU: hide it by '
                         'CUDA_VISIBLE_DEVICES="", or measure it by mmris gpu_check.')
    if options.docs is not None:
        read_page(Path(options.docs))
    torch.set_num_threads(1)
    names = options.only or [name for name, case in CASES.items() if case.brief or not options.brief]
    before = None if options.out is None else read_before(Path(options.out))
    found = dict(machine=machine_name(), torch=torch.__version__, brief=options.brief)
    found['results'] = kept_results(before, found) if options.only else {}
    for name in names:
        case = CASES[name]
        print(f'{name} ...', flush=True)
        start = time.perf_counter()
        result = (case.brief if options.brief and case.brief else case.full)()
        found['results'][name] = to_entry(result, time.perf_counter() - start)
        goal = f', goal: {result.describe_goal()}' if result.describe_goal() else ''
        bound = '' if result.bound is None else f', bound {result.bound:.2f}, {result.share:.0%} of it'
        print(f'{result.title}: {result.ratio:.2f}{bound}{goal}', flush=True)
        if options.out is not None:
            # As it goes: a run that is cut leaves what it measured.
            write_json_file(options.out, found)
    measured = {name: found['results'][name] for name in names}
    print('\n' + format_entries(measured) + '\n')
    print('\n'.join(compare(before, dict(found, results=measured))))
    if options.docs is not None:
        # In the order of the benchmarks, also where some were measured again.
        results = {name: found['results'][name] for name in CASES if name in found['results']}
        write_docs(Path(options.docs), dict(found, results=results))
    return int(any(entry['reached'] is False for entry in measured.values()))
