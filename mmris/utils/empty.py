"""Models without weights, for those that a checkpoint brings."""

import threading
from contextlib import contextmanager
from typing import Iterator

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def empty_parameters() -> Iterator[None]:
    """Give the modules that this thread makes parameters without content, on the meta device.

    It saves the memory and the time of random weights. Buffers are made as usual.
    """
    owner = threading.get_ident()

    def empty(_: nn.Module, __: str, parameter: nn.Parameter) -> nn.Parameter:
        if threading.get_ident() != owner or parameter is None:
            return parameter
        return nn.Parameter(parameter.to('meta'), requires_grad=parameter.requires_grad)

    handle = register_module_parameter_registration_hook(empty)
    try:
        yield
    finally:
        handle.remove()
