"""The work of ``mmris benchmark_cache``."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor, nn

from mmris.datasets.pipelines import resolve_pipelines
from mmris.engine.parameter_groups import build_optim_wrapper
from mmris.registry import MODELS
from mmris.structures import PixelDigests
from mmris.utils.configs import check_output
from mmris.utils.json_files import write_json_file
from mmris.utils.machine import machine_name
from mmris.utils.sizes import in_words
from mmris.utils.steps import load_batch, read_step_config
from mmris.utils.tables import markdown_table

COMPUTED, CACHED, BOUND = 'without a cache', 'with a filled cache', 'features given (bound)'


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    config = read_step_config(options)
    results = measure_cache(config, options)
    print(format_results(results))
    if options.out is not None:
        write_json_file(options.out, results)


def measure_cache(config: Config, options: argparse.Namespace) -> Dict[str, Any]:
    """Time training steps with and without a feature cache, in turn, so that all meet the same other load.

    Args:
        config (Config): The config of a model with a frozen image tower. It is changed.
        options (argparse.Namespace): ``config``, ``batch_size``, ``data_root``, ``steps``, ``amp`` and ``stored``, as
            of the command line.

    Returns:
        dict: ``seconds``, the median of a step by what was measured; ``share``, the bound's seconds over those with a
        filled cache; ``entry_bytes``, of an image; and what it was measured on.

    Raises:
        ValueError: If the model has no part that a cache can keep.
    """
    with tempfile.TemporaryDirectory() as folder:
        config.model.feature_cache = dict(folder=folder, dtype=options.stored)
        resolve_pipelines(config)
        torch.manual_seed(0)
        model = MODELS.build(config.model).to(get_device()).train()
        batch = load_batch(config.train_dataloader, options.batch_size, options.data_root)
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
        seconds = _measure(model, lambda: model.train_step(batch, wrapper), options.steps)
        stores = model.feature_cache.stores.values()
        entry_bytes = sum(store.size / len(store) for store in stores)
    return dict(
        machine=machine_name(),
        config=options.config,
        precision=options.amp or 'float32',
        stored=options.stored,
        images=len(batch['inputs']),
        expressions=sum(len(sample.token_ids) for sample in batch['data_samples']),
        entry_bytes=round(entry_bytes),
        seconds=seconds,
        share=seconds[BOUND] / seconds[CACHED])


class _Computed:
    """Stands for a cache, and computes all."""

    def recall(self, encoder: nn.Module, digests: Optional[PixelDigests],
               compute: Callable[[Optional[Tensor]], Any]) -> Any:
        return compute(None)


class _Given(_Computed):
    """Stands for a cache that takes no time: it has the features of the one batch, where they are needed."""

    def __init__(self) -> None:
        self._features: Any = None

    def recall(self, encoder: nn.Module, digests: Optional[PixelDigests],
               compute: Callable[[Optional[Tensor]], Any]) -> Any:
        if self._features is None:
            self._features = compute(None)
        return self._features


def _measure(model: nn.Module, step: Callable[[], Any], steps: int) -> Dict[str, float]:
    owners = [module for module in model.encoder.modules() if getattr(module, 'part_caches', None)]
    ways = {COMPUTED: [], CACHED: [dict(owner.part_caches) for owner in owners], BOUND: []}
    for owner in owners:
        ways[COMPUTED].append({name: _Computed() for name in owner.part_caches})
        ways[BOUND].append({name: _Given() for name in owner.part_caches})
    seconds: Dict[str, List[float]] = {name: [] for name in ways}
    for position in range(-max(2, steps // 5), steps):
        # Each follows each as often: a step leaves its memory and its caches to the next.
        order = [*ways][::-1] if position % 2 else [*ways]
        for name in order:
            for owner, own in zip(owners, ways[name]):
                owner.part_caches = own
            start = time.perf_counter()
            step()
            if get_device() == 'cuda':
                torch.cuda.synchronize()
            if position >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def format_results(results: Dict[str, Any]) -> str:
    rows = [[name, 1000 * seconds, results['images'] / seconds] for name, seconds in results['seconds'].items()]
    title = (f'{Path(results["config"]).stem}, {results["precision"]}, {results["images"]} images with '
             f'{results["expressions"]} expressions a step, {results["machine"]}')
    share = f'{results["share"]:.1%} of the bound; {in_words(results["entry_bytes"])} an image as {results["stored"]}'
    return f'{title}\n\n{markdown_table(["training step", "ms", "images/s"], rows)}\n\n{share}'
