"""bfloat16 beside float32: speed, and how much masks differ."""

from pathlib import Path
from typing import List

import torch
from mmengine.config import ConfigDict
from torch import Tensor

from mmris.apis import Predictor
from mmris.datasets import RefCOCODataset
from mmris.engine.parameter_groups import build_optim_wrapper
from mmris.registry import DATASETS
from mmris.utils.precision import mixed_precision

from .models import SHIPPED_WEIGHTS, prepare
from .result import Result, ratios_of
from .timing import take_turns


def measure_training_precision(name: str, images: int, repetitions: int) -> Result:
    """Measure a training step in float32 over one under bfloat16 autocast.

    Args:
        name (str): A config.
        images (int): Images of a step, a sentence about each.
        repetitions (int): Steps of each.
    """
    measured = prepare(name)
    model, batch = measured.model.train(), measured.training_batch(images, 1)
    wrappers = {
        kind: build_optim_wrapper(model, ConfigDict(measured.config.optim_wrapper, type=kind))
        for kind in ('OptimWrapper', 'BFloat16OptimWrapper')
    }
    seconds = take_turns({kind: (lambda one=wrapper: model.train_step(batch, one))
                          for kind, wrapper in wrappers.items()}, repetitions)
    return Result(
        title=f'{name}: a training step in float32 over bfloat16, {images} images',
        ratios=ratios_of(seconds['OptimWrapper'], seconds['BFloat16OptimWrapper']),
        notes=dict(seconds=seconds))


def measure_evaluation_precision(name: str, sentences: int, repetitions: int) -> Result:
    """Measure an image with sentences in float32 over the same under bfloat16 autocast, from inputs to logits.

    Args:
        name (str): A config.
        sentences (int): Sentences about the image.
        repetitions (int): How often each is measured.

    Returns:
        Result: With the goal of processors with AMX alone: others multiply in bfloat16 twice as fast at most.
    """
    measured = prepare(name)
    model, inputs = measured.model.eval(), measured.inputs(sentences)

    @torch.no_grad()
    def run(precision: str) -> None:
        with mixed_precision(precision):
            model.encode_decode(inputs)

    seconds = take_turns({one: (lambda one=one: run(one)) for one in ('float32', 'bfloat16')}, repetitions)
    return Result(
        title=f'{name}: evaluation in float32 over bfloat16, {sentences} sentences',
        ratios=ratios_of(seconds['float32'], seconds['bfloat16']),
        least=2.0 if has_amx() else None,
        notes=dict(seconds=seconds, amx=has_amx()))


def measure_agreement(data: Path, images: int) -> Result:
    """Compare masks in bfloat16 with those in float32: their mean IoU, under autocast and with weights of that type.

    Args:
        data (Path): A ShapeRef.
        images (int): Images of its val split.

    Returns:
        Result: The lower of the two, of the model that comes with mmris.
    """
    plain, weights = (Predictor.from_pretrained(SHIPPED_WEIGHTS, dtype=one) for one in ('float32', 'bfloat16'))
    settings = dict(plain.model.cfg.test_dataloader.dataset, data_root=str(data), split='val')
    dataset: RefCOCODataset = DATASETS.build(settings)
    found: List[List[float]] = [[], []]
    for index in range(min(images, len(dataset))):
        info = dataset.get_data_info(index)
        wanted = _masks(plain, info)
        with mixed_precision('bfloat16'):
            autocast = _masks(plain, info)
        for one, masks in zip(found, (autocast, _masks(weights, info))):
            one += _iou(masks, wanted).tolist()
    means = {name: sum(one) / len(one) for name, one in zip(('autocast', 'weights'), found)}
    return Result(
        title=f'{SHIPPED_WEIGHTS}: mean IoU of masks in bfloat16 with those in float32, {len(found[0])} sentences',
        ratios=[min(means.values())],
        least=0.99,
        notes=means)


def has_amx() -> bool:
    """Tell whether the processor multiplies matrices in bfloat16 by AMX."""
    return bool(getattr(torch.cpu, 'get_capabilities', dict)().get('amx_bf16'))


def _masks(predictor: Predictor, info: dict) -> Tensor:
    predictor.set_image(info['img_path'])
    return torch.tensor(predictor.predict(info['text']).masks)


def _iou(one: Tensor, other: Tensor) -> Tensor:
    union = (one | other).flatten(1).sum(dim=1)
    return torch.where(union == 0, 1.0, (one & other).flatten(1).sum(dim=1) / union.clamp(min=1))
