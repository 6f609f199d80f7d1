"""What plain references are compared with libraries by, in float64."""

import torch
from torch import Tensor, nn


def close(result: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def module_of(module: nn.Module, state: dict, training: bool = False) -> nn.Module:
    """The module with all weights of the state."""
    module.load_state_dict(state)
    return module.train(training)
