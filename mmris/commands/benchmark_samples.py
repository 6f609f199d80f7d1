"""The work of ``mmris benchmark_samples``."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmris.datasets import RefCOCODataset
from mmris.datasets.random_masks import write_random_masks
from mmris.datasets.random_set import write_random_set
from mmris.registry import DATASETS
from mmris.utils.configs import check_output, read_config
from mmris.utils.json_files import write_json_file
from mmris.utils.tables import markdown_table

BARE, WHOLE, REST = 'bare decode and resize', 'whole sample', 'index, draw and seed'


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = read_config(options)
    init_default_scope(config.get('default_scope', 'mmris'))
    settings = config[f'{options.loader}_dataloader'].dataset
    with tempfile.TemporaryDirectory() as folder:
        if options.data_root is None:
            use_random_set(settings, Path(folder), images=options.samples)
        if options.split is not None:
            settings.split = options.split
        seconds = measure(DATASETS.build(settings), options.samples, options.repetitions)
    print(format_results(seconds, Path(options.config).stem))
    if options.out is not None:
        write_json_file(options.out, dict(seconds=seconds, ratio=ratios(seconds)))


def use_random_set(settings: ConfigDict, folder: Path, images: int) -> None:
    """Write a set with RefCOCO's number of objects and sentences an image, and point the data set to it."""
    objects = 5 * images // 2
    write_random_set(
        folder, images=images, objects=objects, sentences=3 * objects, annotations=objects, pictures=True)
    settings.update(
        data_root=str(folder), refs_file='refs(unc).p', split='train', data_prefix=dict(img_path='images'))
    if settings.get('instance_masks') is not None:
        settings.instance_masks.file = write_random_masks(folder)


def measure(dataset: RefCOCODataset, samples: int, repetitions: int) -> Dict[str, List[float]]:
    """Seconds of the mean sample by step, an entry a repetition."""
    dataset.set_epoch(0)
    steps: Dict[str, float] = {}
    dataset.pipeline.transforms = [timed(one, steps) for one in dataset.pipeline.transforms]
    chosen = np.linspace(0, len(dataset) - 1, min(samples, len(dataset))).astype(int).tolist()
    paths = [dataset.get_data_info(index)['img_path'] for index in chosen]
    seconds: Dict[str, List[float]] = {}
    # The first round fills caches and is thrown away.
    for repetition in range(-1, repetitions):
        steps.clear()
        spent = {BARE: 0.0, WHOLE: 0.0}
        for index, path in zip(chosen, paths):
            start = time.thread_time()
            packed = dataset[index]
            middle = time.thread_time()
            decode_and_resize(path, *packed['inputs'].shape[1:])
            spent[WHOLE] += middle - start
            spent[BARE] += time.thread_time() - middle
        if repetition >= 0:
            spent = {**spent, REST: spent[WHOLE] - sum(steps.values()), **steps}
            for name, value in spent.items():
                seconds.setdefault(name, []).append(value / len(chosen))
    return seconds


def timed(transform: Callable, steps: Dict[str, float]) -> Callable:
    """The same transform, which adds its time to ``steps``."""

    def call(results: Dict[str, Any]) -> Dict[str, Any]:
        start = time.thread_time()
        results = transform(results)
        steps[name] = steps.get(name, 0.0) + time.thread_time() - start
        return results

    name = type(transform).__name__
    return call


def decode_and_resize(path: str, height: int, width: int) -> np.ndarray:
    """The least that any pipeline does: read the file, decode it, resize it linearly."""
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def ratios(seconds: Dict[str, List[float]]) -> List[float]:
    """Whole sample over bare, in each repetition."""
    return [whole / bare for whole, bare in zip(seconds[WHOLE], seconds[BARE])]


def format_results(seconds: Dict[str, List[float]], title: str) -> str:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    order = [BARE, REST, *(name for name in medians if name not in (BARE, REST, WHOLE)), WHOLE]
    rows = [[name, 1000 * medians[name], medians[name] / medians[BARE]] for name in order]
    found = ratios(seconds)
    return '\n'.join([
        f'{title}, {len(found)} repetitions, medians', '',
        markdown_table(['step', 'ms', 'over bare'], rows), '',
        f'A sample takes {statistics.median(found):.2f} times a bare decode and resize '
        f'({min(found):.2f} to {max(found):.2f}).'
    ])
