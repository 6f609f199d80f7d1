"""Blocks of frozen transformers, run with adapters in them, beside them, or along the value path."""

from typing import Callable, Optional, Sequence, Tuple

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
              beside_mlp: Optional[Callable[[Tensor], Tensor]] = None,
              value_path: bool = False) -> Tensor:
    """Run a block of open_clip. Without adapters and value path, that is what the block does itself.

    Args:
        block (nn.Module): open_clip's ``ResidualAttentionBlock``.
        tokens (Tensor): ``(M, T, C)``.
        mask (Tensor, optional): ``(T, T)``, added to the attention's logits. Defaults to None.
        adapters (BlockAdapters, optional): Run after the attention and after the MLP. Defaults to None.
        beside_mlp (Callable, optional): Makes of the tokens after the attention what is added to the MLP's output.
            Defaults to None.
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
    transformed = block.mlp(block.ln_2(tokens))
    if beside_mlp is not None:
        transformed = transformed + beside_mlp(tokens)
    tokens = tokens + block.ls_2(transformed)
    return tokens if adapters is None else adapters.mlp(tokens)


def run_to_mlp(block: nn.Module, tokens: Tensor) -> Tuple[Tensor, Tensor]:
    """Run a block of timm up to where something can be added to the output of its MLP.

    Args:
        block (nn.Module): timm's ``Block``.
        tokens (Tensor): ``(M, T, C)``.

    Returns:
        tuple[Tensor, Tensor]: The tokens after the attention, and the MLP's output, both ``(M, T, C)``.
    """
    tokens = tokens + block.drop_path1(block.ls1(block.attn(block.norm1(tokens))))
    return tokens, block.mlp(block.norm2(tokens))


def run_from_mlp(block: nn.Module, tokens: Tensor, transformed: Tensor, beside_mlp: Callable[[Tensor],
                                                                                           Tensor]) -> Tensor:
    """Run the rest of a block of timm.

    Args:
        block (nn.Module): timm's ``Block``.
        tokens (Tensor): ``(M, T, C)``, what :func:`run_to_mlp` gave first.
        transformed (Tensor): ``(M, T, C)``, what it gave then.
        beside_mlp (Callable): Makes of the MLP's input what is added to its output.

    Returns:
        Tensor: ``(M, T, C)``.
    """
    return tokens + block.drop_path2(block.ls2(transformed + beside_mlp(block.norm2(tokens))))


def check_blocks(what: str, blocks: Sequence[int], depth: int) -> Tuple[int, ...]:
    """Check numbers of blocks.

    Args:
        what (str): What they are, and ``must be``, for the message.
        blocks (Sequence[int]): The numbers, counted from 1.
        depth (int): How many blocks there are.

    Returns:
        tuple[int]: The numbers.

    Raises:
        ValueError: If they do not increase from 1 or later to the last block or an earlier one.
    """
    known = range(1, depth + 1)
    if not isinstance(blocks, (list, tuple)) or list(blocks) != [number for number in known if number in blocks]:
        raise ValueError(f'{what} increasing numbers from 1 to {depth}, but got {blocks!r}.')
    return tuple(blocks)


def _attend_by_value(block: nn.Module, normed: Tensor) -> Tensor:
    attention, width = block.attn, normed.size(-1)
    values = F.linear(normed[:, 1:], attention.in_proj_weight[-width:], attention.in_proj_bias[-width:])
    return torch.cat((block.attention(normed[:, :1], normed, normed), attention.out_proj(values)), dim=1)
