"""Training in bfloat16, on any device."""

from contextlib import contextmanager
from typing import Iterator

from mmengine.optim import OptimWrapper
from torch import nn

from mmris.registry import OPTIM_WRAPPERS
from mmris.utils.precision import mixed_precision


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` (which see for all arguments), whose forward passes run under bfloat16 autocast.

    bfloat16 has the range of float32, so losses need no scale. MMEngine's ``AmpOptimWrapper``, which has one, runs on
    GPUs alone; this one also on processors.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast within MMEngine's own context, which gathers gradients."""
        with super().optim_context(model), mixed_precision('bfloat16'):
            yield
