"""Small trained layers beside frozen ones."""

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """The two linear maps of an adapter: to few channels, and back.

    Args:
        channels (int): Width of the tokens.
        hidden_channels (int): Width between the maps, at least 1.

    Raises:
        ValueError: If ``hidden_channels`` is below 1.
    """

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        if hidden_channels < 1:
            raise ValueError(f'hidden_channels of an adapter must be at least 1, but got {hidden_channels}.')
        self.down = nn.Linear(channels, hidden_channels)
        self.up = nn.Linear(hidden_channels, channels)

    def narrow(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(..., channels)`` to ``(..., hidden_channels)``, none of which is below 0."""
        return F.relu(self.down(tokens))


class Adapter(Bottleneck):
    """A bottleneck on the way of tokens: ``x + Up(ReLU(Down(x)))``, after Houlsby et al. (ICML 2019).

    Theirs stands before a layer's output is added to the tokens, this one after. ``Up`` starts at zero, so that a new
    adapter changes nothing.

    Args:
        channels (int): Width of the tokens.
        hidden_channels (int): Width between ``Down`` and ``Up``, at least 1.

    Raises:
        ValueError: If ``hidden_channels`` is below 1.
    """

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__(channels, hidden_channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Adapt tokens ``(..., channels)``."""
        return tokens + self.up(self.narrow(tokens))
