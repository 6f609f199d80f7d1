"""The work of ``mmris benchmark_steps``."""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from torch import nn

from mmris.datasets.random_masks import write_random_masks
from mmris.datasets.random_set import write_random_set
from mmris.engine.parameter_groups import build_optim_wrapper
from mmris.registry import DATASETS, MODELS
from mmris.utils import write_atomically
from mmris.utils.configs import check_output, read_config
from mmris.utils.launching import enable_mixed_precision
from mmris.utils.machine import machine_name
from mmris.utils.memory import process_memory
from mmris.utils.pretrained import forget_pretrained
from mmris.utils.tables import markdown_table


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    config = read_config(options)
    forget_pretrained(config.model)
    if options.amp is not None:
        enable_mixed_precision(config, options.amp)
    init_default_scope(config.get('default_scope', 'mmris'))
    torch.manual_seed(0)
    model = MODELS.build(config.model).to(get_device())
    results = dict(
        machine=machine_name(),
        config=options.config,
        precision=options.amp or 'float32',
        training=measure_training(model, config, options),
        evaluation=measure_evaluation(model, config, options))
    print(format_results(results))
    if options.out is not None:
        with write_atomically(options.out) as path:
            path.write_text(json.dumps(results, indent=2) + '\n')


def measure_training(model: nn.Module, config: Config, options: argparse.Namespace) -> Dict[str, Any]:
    """Forward, backward and optimiser on one batch."""
    batch = load_batch(config.train_dataloader, options)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    model.train()
    return measure(lambda: model.train_step(batch, wrapper), batch, options.steps)


def measure_evaluation(model: nn.Module, config: Config, options: argparse.Namespace) -> Dict[str, Any]:
    """Prediction of all sentences of the images of one batch, on the original pixels."""
    batch = load_batch(config.val_dataloader, options)
    model.eval()

    @torch.no_grad()
    def predict() -> None:
        with torch.autocast(get_device(), getattr(torch, options.amp or 'float32'), enabled=options.amp is not None):
            model.val_step(batch)

    return measure(predict, batch, options.steps)


def load_batch(loader: Config, options: argparse.Namespace) -> Dict[str, list]:
    """One batch of a loader's pipeline: of random images unless a set is named."""
    count = options.batch_size or loader.batch_size
    with tempfile.TemporaryDirectory() as folder:
        if options.data_root is None:
            # 2.5 objects with 7.1 sentences an image, as in RefCOCO.
            write_random_set(
                folder, images=count, objects=5 * count // 2, sentences=71 * count // 10, annotations=5 * count // 2,
                pictures=True)
            loader.dataset.update(
                data_root=folder, refs_file='refs(unc).p', split='train', data_prefix=dict(img_path='images'))
            if loader.dataset.get('instance_masks') is not None:
                loader.dataset.instance_masks.file = write_random_masks(folder)
        dataset = DATASETS.build(loader.dataset)
        samples = [dataset[index % len(dataset)] for index in range(count)]
    return pseudo_collate(samples)


def measure(step: Callable, batch: Dict[str, list], steps: int) -> Dict[str, Any]:
    """Seconds of a step (median), and what follows from them."""
    on_gpu = get_device() == 'cuda'
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds: List[float] = []
    for position in range(-max(1, steps // 5), steps):
        start = time.perf_counter()
        step()
        if on_gpu:
            torch.cuda.synchronize()
        if position >= 0:
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    return dict(
        images=len(batch['inputs']),
        expressions=sum(len(sample.token_ids) for sample in batch['data_samples']),
        seconds=median,
        spread=[min(seconds), max(seconds)],
        images_per_second=len(batch['inputs']) / median,
        peak_mebibytes=torch.cuda.max_memory_allocated() / 2**20 if on_gpu else process_memory()['peak'])


def format_results(results: Dict[str, Any]) -> str:
    rows = [[
        name, results[name]['images'], results[name]['expressions'], results[name]['seconds'],
        results[name]['images_per_second'], round(results[name]['peak_mebibytes'])
    ] for name in ('training', 'evaluation')]
    heading = ['step of', 'images', 'expressions', 'seconds', 'images/s', 'peak MiB']
    title = f'{Path(results["config"]).stem}, {results["precision"]}, {results["machine"]}'
    return f'{title}\n\n{markdown_table(heading, rows)}'
