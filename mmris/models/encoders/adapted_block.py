"""A block of CLIP's transformers, run with adapters beside it or along its value path."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Adapter


class BlockAdapters(nn.Module):
    """The two adapters of a block: after its attention, and after its MLP.

    Args:
        channels (int): Width of the block's tokens.
        hidden_channels (int): Width inside the adapters.
    """

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.attention = Adapter(channels, hidden_channels)
        self.mlp = Adapter(channels, hidden_channels)


def run_block(block: nn.Module,
              tokens: Tensor,
              *,
              mask: Optional[Tensor] = None,
              adapters: Optional[BlockAdapters] = None,
              value_path: bool = False) -> Tensor:
    """Run a block of open_clip. Without adapters and value path, that is what the block does itself.

    Args:
        block (nn.Module): open_clip's ``ResidualAttentionBlock``.
        tokens (Tensor): ``(M, T, C)``.
        mask (Tensor, optional): ``(T, T)``, added to the attention's logits. Defaults to None.
        adapters (BlockAdapters, optional): Run after the attention and after the MLP. Defaults to None.
        value_path (bool): Whether tokens but the first, the class token, keep to themselves: in place of the
            attention, its values and its output map (MaskCLIP; Zhou et al., ECCV 2022). Defaults to False.

    Returns:
        Tensor: ``(M, T, C)``.
    """
    normed = block.ln_1(tokens)
    attended = _attend_by_value(block, normed) if value_path else block.attention(normed, attn_mask=mask)
    tokens = tokens + block.ls_1(attended)
    if adapters is not None:
        tokens = adapters.attention(tokens)
    tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return tokens if adapters is None else adapters.mlp(tokens)


def _attend_by_value(block: nn.Module, normed: Tensor) -> Tensor:
    attention, width = block.attn, normed.size(-1)
    values = F.linear(normed[:, 1:], attention.in_proj_weight[-width:], attention.in_proj_bias[-width:])
    return torch.cat((block.attention(normed[:, :1], normed, normed), attention.out_proj(values)), dim=1)
