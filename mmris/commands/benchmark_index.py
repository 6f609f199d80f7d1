"""The work of ``mmris benchmark_index``."""

import argparse
import json
import multiprocessing
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import mmengine.dataset
import torch
from torch.utils.data import DataLoader, get_worker_info

from mmris.datasets.random_set import write_random_set
from mmris.registry import DATASETS
from mmris.utils.configs import check_output
from mmris.utils.json_files import read_json_file, write_json_file
from mmris.utils.memory import process_memory
from mmris.utils.tables import markdown_table

MEBI = 2**20
# In place of an index: report memory.
MEASURE = -1


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        run_in_subprocess(make_set, options, folder)
        results = {
            name: run_in_subprocess(measure, folder, options.group_by, options.workers, serialise)
            for name, serialise in (('shared', True), ('objects', False))
        }
    print(format_results(results, options))
    if options.out is not None:
        write_json_file(options.out, dict(vars(options), **results))


def run_in_subprocess(function: Callable, *arguments: Any) -> Any:
    """Call in a process of its own: memory that one step has freed would hide what the next one takes."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')) as executor:
        return executor.submit(function, *arguments).result()


def make_set(options: argparse.Namespace, folder: Path) -> None:
    sizes = {key: getattr(options, key) for key in ('images', 'objects', 'sentences', 'annotations')}
    sizes_file = folder / 'sizes.json'
    if not sizes_file.is_file():
        write_random_set(folder, pictures=False, **sizes)
        sizes_file.write_text(json.dumps(sizes))
    elif read_json_file(sizes_file, 'Name another --folder.') != sizes:
        raise ValueError(f'{folder} holds a set of other sizes ({sizes_file}). Name another --folder.')


def measure(folder: Path, group_by: str, workers: List[int], serialise: bool) -> Dict[str, Any]:
    """Load once, then read all samples with each number of workers; sizes in MiB, processor times in seconds."""
    torch.set_num_threads(1)
    before = process_memory()
    start = time.process_time()
    dataset = DATASETS.build(
        dict(
            type='mmris.RefCOCODataset',
            split='train',
            refs_file='refs(unc).p',
            data_root=str(folder),
            group_by=group_by,
            serialize_data=serialise))
    load_seconds = time.process_time() - start
    after = process_memory()
    result = dict(
        samples=len(dataset),
        load_seconds=load_seconds,
        resident_growth=after['resident'] - before['resident'],
        peak_growth=after['peak'] - before['resident'],
        index=(dataset.data_bytes.nbytes + dataset.data_address.nbytes) / MEBI if serialise else None,
        workers={number: read_all(dataset, number) for number in workers})
    start = time.process_time()
    json.loads((folder / 'instances.json').read_text(encoding='utf-8'))
    result['parse_seconds'] = time.process_time() - start
    return result


def read_all(dataset: mmengine.dataset.BaseDataset, workers: int) -> List[float]:
    """Read every sample in every worker; the private memory that each worker gained by it."""
    # Processors do not matter here.
    warnings.filterwarnings('ignore', 'This DataLoader will create')
    loader = DataLoader(
        Reader(dataset),
        batch_sampler=list(batches(len(dataset), max(1, workers))),
        num_workers=workers,
        # MMEngine's and Linux's default.
        multiprocessing_context='fork' if workers else None,
        collate_fn=list)
    measured: Dict[int, List[float]] = {}
    for batch in loader:
        for worker, private in (one for one in batch if one is not None):
            measured.setdefault(worker, []).append(private)
    if sorted(measured) != list(range(max(1, workers))) or any(len(one) != 2 for one in measured.values()):
        raise RuntimeError(f'Each of {workers} workers was to be measured twice, but these were: {measured}.')
    return [after - before for before, after in measured.values()]


def batches(samples: int, workers: int, size: int = 500) -> Iterator[List[int]]:
    """Batches that a DataLoader, which deals them out in turn, gives to each worker alike."""
    yield from [[MEASURE]] * workers
    for start in range(0, samples, size):
        yield from [list(range(start, min(start + size, samples)))] * workers
    yield from [[MEASURE]] * workers


class Reader(torch.utils.data.Dataset):
    """Reads samples and throws them away; index MEASURE gives the worker's number and its private memory."""

    def __init__(self, dataset: mmengine.dataset.BaseDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Optional[Tuple[int, float]]:
        if index != MEASURE:
            self.dataset[index]
            return None
        worker = get_worker_info()
        return worker.id if worker else 0, process_memory()['private']


def format_results(results: Dict[str, Dict[str, Any]], options: argparse.Namespace) -> str:
    shared, objects = results['shared'], results['objects']
    index = shared['index']
    heading = ['workers', 'MiB gained, each', 'over the index', 'as objects: MiB gained', 'over the index']
    rows = []
    for number, gained in shared['workers'].items():
        control = max(objects['workers'][number])
        rows.append([number, max(gained), max(gained) / index, control, control / index])
    worst = max((max(gained) for number, gained in shared['workers'].items() if number), default=0.0)
    return '\n'.join([
        f'{options.objects:,} objects, {options.sentences:,} sentences, {options.images:,} images, '
        f'{options.annotations:,} annotations; {shared["samples"]:,} samples by {options.group_by}', '',
        markdown_table(['', 'shared bytes', 'Python objects (control)'], [
            ['load, processor seconds', shared['load_seconds'], objects['load_seconds']],
            ['over parsing instances.json alone', *(one['load_seconds'] / one['parse_seconds']
                                                    for one in (shared, objects))],
            ['resident memory gained, MiB', shared['resident_growth'], objects['resident_growth']],
            ['peak memory gained, MiB', shared['peak_growth'], objects['peak_growth']],
            ['index, MiB', index, '']
        ]), '',
        markdown_table(heading, rows), '',
        f'A worker that has read all samples holds {worst / index:.3f} of the index for itself.'
    ])
