"""How long a large model will take without a GPU, so that nobody takes its work for a hang."""

import time
from dataclasses import dataclass
from typing import Optional

import torch
from torch import nn

from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.input_sizes import read_input_sizes

# Of models with fewer parameters an image takes seconds at most, and counting would take as long.
_LARGE = 250_000_000
# A model reaches about this share of the speed of the products of large matrices that are measured. (On one thread of
# an AMD EPYC, SAM ViT-B and BEiT-3 base: 20 of 42 billion multiply-adds a second.)
_EFFICIENCY = 0.5
_SECONDS_MEASURED = 0.2


@dataclass(frozen=True)
class ExpectedTime:
    """What an image and a sentence about it will take.

    Attributes:
        image (int): Multiply-adds that are done once an image.
        sentence (int): Multiply-adds that are done for each sentence.
        speed (float): Multiply-adds a second.
    """

    image: int
    sentence: int
    speed: float

    def __str__(self) -> str:
        first, more = ((self.image + self.sentence) / self.speed, self.sentence / self.speed)
        return (f'There is no GPU in use. The first answer about an image takes about {format_seconds(first)} (once an '
                f'image {self.image / 1e9:,.0f} billion multiply-adds, for each sentence {self.sentence / 1e9:,.0f}, '
                f'about {self.speed / 1e9:,.0f} billion a second), each further sentence about {format_seconds(more)}.')


def expect_time(model: nn.Module) -> Optional[ExpectedTime]:
    """Estimate what an image and a sentence take on a processor.

    Args:
        model (nn.Module): A model of :func:`~mmris.apis.init_model`.

    Returns:
        ExpectedTime, optional: The estimate. None if the model is on a GPU, or too small to make anyone wait.
    """
    first = next(model.parameters())
    if first.device.type != 'cpu' or sum(one.numel() for one in model.parameters()) < _LARGE:
        return None
    sizes = read_input_sizes(model.cfg)
    with torch.device('meta'):
        empty = MODELS.build(dict(model.cfg.model, distillation=None))
    total = count_complexity(empty, **vars(sizes))['total']
    speed = _EFFICIENCY * measure_speed(first.dtype)
    return ExpectedTime(total['image']['flops'], total['sentence']['flops'], speed)


def measure_speed(dtype: torch.dtype) -> float:
    """Measure how many multiply-adds a second products of large matrices reach here.

    Args:
        dtype (torch.dtype): Type of their numbers.

    Returns:
        float: Multiply-adds a second.
    """
    size, products = 1024, 0
    matrix = torch.ones(size, size, dtype=dtype)
    # The first product also prepares the library.
    matrix @ matrix
    start = time.perf_counter()
    while not products or time.perf_counter() - start < _SECONDS_MEASURED:
        matrix @ matrix
        products += 1
    return products * size**3 / (time.perf_counter() - start)


def format_seconds(seconds: float) -> str:
    """Say how long something takes: ``'0.4 seconds'``, ``'75 seconds'``, ``'12 minutes'``."""
    if seconds >= 300:
        return f'{seconds / 60:.0f} minutes'
    return f'{seconds:.0f} seconds' if seconds >= 2 else f'{seconds:.1f} seconds'
