"""What a training or an evaluation step takes: made-up batches, and steps on them against the clock."""

import argparse
import gc
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

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
from mmris.structures import ReferringDataSample

from .configs import read_config
from .launching import enable_mixed_precision
from .memory import keep_freed_memory, process_memory
from .modules import type_name
from .precision import mixed_precision
from .pretrained import forget_pretrained

#: A batch as a loader collates it: lists of images, samples and views, one of each an image.
Batch = Dict[str, Any]
# What numbers words without a file of its own: whole words of the package, whose few ids every vocabulary has.
_STAND_IN = dict(type='mmris.WordTokenizer', vocabulary='shaperef')


def read_step_config(options: argparse.Namespace) -> Config:
    """Read the config of a command that measures steps with random weights.

    Args:
        options (argparse.Namespace): As of :func:`mmris.utils.configs.read_config`, and ``amp``.

    Returns:
        Config: Without the weights that it names, and in the precision that was asked for.

    Raises:
        FileNotFoundError, ValueError: See :func:`mmris.utils.configs.read_config` and
            :func:`mmris.utils.launching.enable_mixed_precision`.
    """
    config = read_config(options)
    forget_pretrained(config.model)
    if options.amp is not None:
        enable_mixed_precision(config, options.amp)
    init_default_scope(config.get('default_scope', 'mmris'))
    return config


def build_random_model(config: Config) -> nn.Module:
    """Build a config's model with random weights, on the GPU if there is one, in a process like a training's."""
    if get_device() == 'cpu':
        keep_freed_memory()
    # Where it is to be: numbers for a billion weights are drawn on a processor for half a minute.
    with torch.device(get_device()):
        model = MODELS.build(config.model)
    return model.to(get_device())


def load_batch(loader: Config, batch_size: Optional[int] = None, data_root: Optional[str] = None) -> Batch:
    """Load one batch by a loader's pipeline.

    Without a data set, images are noise of COCO's size, with as many objects and sentences as in RefCOCO, and
    sentences are numbered without the tokenizer's vocabulary where its file is absent, with a note.

    Args:
        loader (Config): Config of the loader. It is changed.
        batch_size (int, optional): Images. Default: None, the loader's.
        data_root (str, optional): The data set of the loader. Default: None, a made-up one.

    Returns:
        dict: The batch.
    """
    count, absent = batch_size or loader.batch_size, []
    with tempfile.TemporaryDirectory() as folder:
        if data_root is None:
            # 2.5 objects with 7.1 sentences an image, as in RefCOCO.
            write_random_set(
                folder, images=count, objects=5 * count // 2, sentences=71 * count // 10, annotations=5 * count // 2,
                pictures=True)
            loader.dataset.update(
                data_root=folder, refs_file='refs(unc).p', split='train', data_prefix=dict(img_path='images'))
            if loader.dataset.get('instance_masks') is not None:
                loader.dataset.instance_masks.file = write_random_masks(folder)
            absent = replace_absent_vocabularies(loader.dataset.pipeline)
            for path in absent:
                print(f'{path} is absent: made-up sentences are numbered by a vocabulary of mmris.')
        dataset = DATASETS.build(loader.dataset)
        samples = [dataset[index % len(dataset)] for index in range(count)]
    if absent:
        for sample in samples:
            _name_mask(sample['data_samples'])
    return pseudo_collate(samples)


def _name_mask(sample: ReferringDataSample) -> None:
    """Let an id stand for [MASK], which the vocabularies that are replaced have, and their stand-in has not."""
    vocabulary = sample.vocabulary
    sample.set_metainfo(dict(vocabulary=replace(vocabulary, mask=vocabulary.special[0])))


def replace_absent_vocabularies(pipeline: List[dict]) -> List[str]:
    """Let a pipeline number words in another way where the file of its tokenizer's vocabulary is absent.

    Args:
        pipeline (list[dict]): Configs of the steps, which are changed.

    Returns:
        list[str]: The absent files.
    """
    absent = []
    for step in pipeline:
        tokenizer = step.get('tokenizer', {}) if type_name(step) == 'Tokenize' else {}
        path = tokenizer.get('vocabulary')
        if path is None or type_name(tokenizer) == 'WordTokenizer' or Path(path).is_file():
            continue
        absent.append(str(path))
        lengths = {name: tokenizer[name] for name in ('context_length', 'pad_to_longest') if name in tokenizer}
        step['tokenizer'] = dict(_STAND_IN, **lengths)
    return absent


def measure_training(model: nn.Module, config: Config, batch: Batch, steps: int,
                     most_seconds: float = float('inf')) -> Dict[str, Any]:
    """Measure forward, backward and optimiser on one batch.

    Args:
        model (nn.Module): The model, which is trained.
        config (Config): Its config, of which ``optim_wrapper`` is used.
        batch (dict): The batch.
        steps, most_seconds: See :func:`measure`.

    Returns:
        dict: See :func:`measure`.
    """
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    model.train()
    try:
        return measure(lambda: model.train_step(batch, wrapper), batch, steps, most_seconds)
    finally:
        # What follows shall have the memory of gradients.
        model.zero_grad(set_to_none=True)


def measure_evaluation(model: nn.Module, batch: Batch, precision: Optional[str], steps: int,
                       most_seconds: float = float('inf')) -> Dict[str, Any]:
    """Measure the prediction of all sentences of the images of one batch, on the original pixels.

    Args:
        model (nn.Module): The model.
        batch (dict): The batch.
        precision (str, optional): Type of automatic mixed precision. None: float32.
        steps, most_seconds: See :func:`measure`.

    Returns:
        dict: See :func:`measure`.
    """
    model.eval()

    @torch.no_grad()
    def predict() -> None:
        with mixed_precision(precision):
            model.val_step(batch)

    return measure(predict, batch, steps, most_seconds)


def measure(step: Callable, batch: Batch, steps: int, most_seconds: float = float('inf')) -> Dict[str, Any]:
    """Measure a step's seconds (median), and what follows from them.

    Args:
        step (Callable): The step. It is run a fifth more often than measured, to warm up.
        batch (dict): What it is on.
        steps (int): How many are measured.
        most_seconds (float): No further step begins when the measured ones took so long. Default: no limit.

    Returns:
        dict: ``images`` and ``expressions`` of the batch, ``seconds``, ``spread`` (least and most seconds),
        ``first_seconds`` (of the very first step, which prepares for the others), ``images_per_second``,
        ``peak_mebibytes`` (allocated on the GPU; without one, resident of the process so far).
    """
    on_gpu = get_device() == 'cuda'
    if on_gpu:
        # Of what ran before nothing is needed but the model.
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    first, seconds = None, []
    for position in range(-max(1, steps // 5), steps):
        start = time.perf_counter()
        step()
        if on_gpu:
            torch.cuda.synchronize()
        spent = time.perf_counter() - start
        first = spent if first is None else first
        if position >= 0:
            seconds.append(spent)
        if sum(seconds) >= most_seconds:
            break
    median = statistics.median(seconds)
    return dict(
        images=len(batch['inputs']),
        expressions=sum(len(sample.token_ids) for sample in batch['data_samples']),
        seconds=median,
        first_seconds=first,
        spread=[min(seconds), max(seconds)],
        images_per_second=len(batch['inputs']) / median,
        peak_mebibytes=torch.cuda.max_memory_allocated() / 2**20 if on_gpu else process_memory()['peak'])
