"""What BatchNorms remember of their batches."""

from contextlib import contextmanager
from typing import Iterator, Optional

from mmengine.dist import all_reduce_params
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


@contextmanager
def restore_running_statistics(*modules: nn.Module) -> Iterator[None]:
    """After the block, the running statistics of BatchNorms are again what they were before it.

    For what must save the same tensors for a backward pass as a plain forward pass would, such as its recomputation.

    Args:
        modules (nn.Module): Where to look for BatchNorms, synchronised ones included.
    """
    buffers = [
        buffer for module in modules for norm in module.modules() if isinstance(norm, _BatchNorm)
        for buffer in norm.buffers()
    ]
    kept = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        for buffer, value in zip(buffers, kept):
            # Autograd keeps them for the backward pass, which reads the batch's statistics alone: no new version.
            buffer.data.copy_(value)


def average_running_statistics(model: nn.Module, trained: Optional[nn.Module] = None) -> None:
    """Replace the running statistics of BatchNorms by their mean over all processes, each of which saw other batches.

    Those of frozen BatchNorms, whose parameters want no gradient, stay: a mean of equal numbers can differ from them.

    Args:
        model (nn.Module): The model, the same in all processes, all of which must call this.
        trained (nn.Module, optional): Of a copy that only averages, of which no parameter wants a gradient, the model
            that tells what is frozen. Defaults to None: ``model`` itself.
    """
    norms = [
        norm for norm, own in zip(model.modules(), (model if trained is None else trained).modules())
        if isinstance(norm, _BatchNorm) and norm.running_mean is not None and not _is_frozen(own)
    ]
    all_reduce_params([value for norm in norms for value in (norm.running_mean, norm.running_var)], op='mean')


def _is_frozen(norm: nn.Module) -> bool:
    parameters = list(norm.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
