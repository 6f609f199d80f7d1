"""What CLIP's two transformers share: which GELU their blocks use is part of their weights."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...layers import fuse_attention


class GELU(nn.Module):
    """``x * sigmoid(1.702 * x)`` (QuickGELU) or GELU, as its flag says, which may change; modules may not."""

    quick: bool

    def forward(self, activation: Tensor) -> Tensor:
        return activation * torch.sigmoid(1.702 * activation) if self.quick else F.gelu(activation)


class CLIPTransformer(BaseModule):
    """A transformer of open_clip, with the activation that its weights were trained with.

    OpenAI trained with ``x * sigmoid(1.702 * x)`` ("QuickGELU"), others with GELU. The shapes do not tell which, so it
    is kept as a buffer: a trained checkpoint brings its activation along.

    Args:
        clip (nn.Module): open_clip's ``VisionTransformer`` or ``TextTransformer``.
        quick_gelu (bool): Whether its blocks use QuickGELU.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass.
    """

    def __init__(self, clip: nn.Module, *, quick_gelu: bool, activation_checkpointing: bool) -> None:
        super().__init__()
        self.clip = clip
        fuse_attention(clip)
        self.clip.transformer.grad_checkpointing = activation_checkpointing
        self.register_buffer('quick_gelu', torch.tensor(quick_gelu))
        self.activation = GELU()
        for block in self.blocks:
            block.mlp.gelu = self.activation
        self.use_quick_gelu(quick_gelu)

    @property
    def blocks(self) -> nn.ModuleList:
        """nn.ModuleList: The transformer's blocks, open_clip's ``ResidualAttentionBlock``."""
        return self.clip.transformer.resblocks

    def use_quick_gelu(self, quick_gelu: bool) -> None:
        """Choose the activation of all blocks: QuickGELU or GELU."""
        self.quick_gelu.fill_(quick_gelu)
        self.activation.quick = quick_gelu

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        quick_gelu = state_dict.get(f'{prefix}quick_gelu')
        if quick_gelu is not None:
            self.use_quick_gelu(bool(quick_gelu))
