"""Running BatchNorm with batch statistics without touching what it remembers."""

from contextlib import contextmanager
from typing import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def keep_running_statistics(*modules: nn.Module) -> Iterator[None]:
    """Within the block, BatchNorms in training mode normalise by their batch and update no running statistics.

    Args:
        modules (nn.Module): Where to look for BatchNorms, synchronised ones included.
    """
    norms = [
        norm for module in modules for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.training and norm.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
