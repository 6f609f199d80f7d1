"""PyTorch's multi-head attention with its weights, computed by the fused operator alone."""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FusedMultiheadAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` with ``batch_first``: the same parameters and results, in less time and memory.

    PyTorch's module turns its inputs to ``(T, P, C)`` before it projects them, which makes the projections copy
    activations, and under autocast on a processor copies the weights for each token. In evaluation it also keeps all
    scores, ``(P, heads, T, S)``. This one projects the rows as they lie and takes
    ``F.scaled_dot_product_attention``.

    Where the weights of attention are asked for, or a mask is of another form than here, it is PyTorch's module.

    Args:
        channels (int): Width of the queries and of what is returned, divisible by ``num_heads``.
        num_heads (int): Attention heads.
        dropout (float): Probability in training, in the weights of attention. Default: 0.0.
        context_channels (int, optional): Width of keys and values. Default: None, that of the queries.
    """

    def __init__(self,
                 channels: int,
                 num_heads: int,
                 *,
                 dropout: float = 0.0,
                 context_channels: Optional[int] = None) -> None:
        super().__init__(
            channels, num_heads, dropout=dropout, kdim=context_channels, vdim=context_channels, batch_first=True)

    def forward(self,
                query: Tensor,
                key: Tensor,
                value: Tensor,
                key_padding_mask: Optional[Tensor] = None,
                need_weights: bool = True,
                attn_mask: Optional[Tensor] = None,
                average_attn_weights: bool = True,
                is_causal: bool = False) -> Tuple[Tensor, Optional[Tensor]]:
        """Attend; see ``nn.MultiheadAttention``, whose names are kept.

        Args:
            query (Tensor): ``(P, T, channels)``.
            key (Tensor): ``(P, S, context_channels)``.
            value (Tensor): ``(P, S, context_channels)``.
            key_padding_mask (Tensor, optional): ``(P, S)`` bool, true where a key takes no part. Default: None, all do.
            need_weights (bool): Whether to return the weights too, by PyTorch's own module. Default: True.
            attn_mask (Tensor, optional): ``(T, S)`` float, added to the scores. Default: None, nothing is.
            average_attn_weights (bool): Whether the weights returned are a mean over the heads. Default: True.
            is_causal (bool): A hint of PyTorch, not needed here. Default: False.

        Returns:
            tuple[Tensor, Tensor or None]: ``(P, T, channels)``, and the weights if they are asked for: ``(P, T, S)``,
            or ``(P, num_heads, T, S)`` if not averaged.
        """
        known = (key_padding_mask is None or key_padding_mask.dtype is torch.bool) and (
            attn_mask is None or attn_mask.dim() == 2 and attn_mask.is_floating_point())
        if need_weights or not known or query.dim() != 3:
            return super().forward(query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights)
        mask = attn_mask
        if key_padding_mask is not None:
            taking_part = ~key_padding_mask[:, None, None]
            mask = taking_part if attn_mask is None else attn_mask.masked_fill(~taking_part, float('-inf'))
        attended = F.scaled_dot_product_attention(
            *(part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in self._project(query, key, value)),
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0)
        return self.out_proj(attended.transpose(1, 2).flatten(2)), None

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Project to ``(P, T, channels)`` and twice ``(P, S, channels)``, with one product for equal inputs."""
        bias, channels = self.in_proj_bias, self.embed_dim
        if not self._qkv_same_embed_dim:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            return tuple(F.linear(*one) for one in zip((query, key, value), weights, bias.chunk(3)))
        weight = self.in_proj_weight
        if query is key and key is value:
            return F.linear(query, weight, bias).chunk(3, dim=-1)
        if query is key:
            both = F.linear(query, weight[:2 * channels], bias[:2 * channels])
            return (*both.chunk(2, dim=-1), F.linear(value, weight[2 * channels:], bias[2 * channels:]))
        parts = zip((query, key, value), weight.chunk(3), bias.chunk(3))
        return tuple(F.linear(*one) for one in parts)


def fuse_attention(module: nn.Module) -> None:
    """Make every ``nn.MultiheadAttention`` in a module of another project compute as :class:`FusedMultiheadAttention`.

    Args:
        module (nn.Module): The module. Names and values of its parameters stay.

    Raises:
        ValueError: If one is not ``batch_first``, or has a bias that is added to keys and values, or no bias.
    """
    for name, part in module.named_modules():
        if type(part) is not nn.MultiheadAttention:
            continue
        if not part.batch_first or part.bias_k is not None or part.add_zero_attn or part.in_proj_bias is None:
            raise ValueError(f'{name} is an attention that FusedMultiheadAttention has no form of: it must be '
                             f'batch_first, with a bias of the projections, and add nothing to keys and values.')
        # The subclass has no state of its own.
        part.__class__ = FusedMultiheadAttention
