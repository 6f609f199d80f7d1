"""CLIP's towers by the name of their architecture."""

from typing import Optional, Sequence, Tuple, Union

from open_clip import CustomTextCLIP, get_model_config, list_models
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import nn

from .clip_resnet import CLIPResNet
from .clip_text import CLIPTextTower
from .clip_vit import CLIPVisionTransformer

Architecture = Union[str, dict]


def build_clip(architecture: Architecture, quick_gelu: Optional[bool]) -> Tuple[CustomTextCLIP, Optional[bool]]:
    """Build both towers of an open_clip model with random weights.

    Args:
        architecture (str or dict): An open_clip model name, or a dict in the form of its model configs.
        quick_gelu (bool, optional): The activation, where the architecture does not say.

    Returns:
        tuple[CustomTextCLIP, bool or None]: The model, and whether its activation is QuickGELU: None if neither says.

    Raises:
        ValueError: If ``architecture`` is no open_clip model.
        ValueError: If ``architecture`` and ``quick_gelu`` say different things.
    """
    config = get_model_config(architecture) if isinstance(architecture, str) else dict(architecture)
    if config is None:
        names = ', '.join(name for name in list_models() if name.startswith(('ViT-', 'RN')))
        raise ValueError(f'architecture {architecture!r} is no open_clip model. CLIPs that open_clip knows: {names}.')
    config.pop('custom_text', None)
    # A name without "-quickgelu" says nothing: OpenAI's weights go by it as well as others'.
    said = config.get('quick_gelu')
    if None not in (said, quick_gelu) and said != quick_gelu:
        raise ValueError(
            f'quick_gelu={quick_gelu} contradicts the architecture {architecture!r}: leave one of them out.')
    return CustomTextCLIP(**config), said if quick_gelu is None else quick_gelu


def build_image_tower(visual: nn.Module, architecture: Architecture, *, taps: Optional[Sequence[int]],
                      quick_gelu: Optional[bool],
                      activation_checkpointing: bool) -> Union[CLIPResNet, CLIPVisionTransformer]:
    """Make an image tower of open_clip's.

    Raises:
        ValueError: If it is neither a plain ViT nor a ResNet with attention pool.
        ValueError: If ``taps`` do not fit.
    """
    if isinstance(visual, ModifiedResNet):
        return CLIPResNet(visual, taps=taps, activation_checkpointing=activation_checkpointing)
    plain = (
        isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type == 'tok'
        and not visual.final_ln_after_pool and visual.positional_embedding.requires_grad
        and isinstance(visual.patch_dropout, nn.Identity))
    if not plain:
        raise ValueError(
            f'The image tower of {architecture!r} is neither a plain ViT with class token and learned positions nor a '
            f'ResNet with attention pool. Use one of OpenAI\'s form, such as ViT-B-16 or RN50.')
    return CLIPVisionTransformer(
        visual, taps=taps, quick_gelu=bool(quick_gelu), activation_checkpointing=activation_checkpointing)


def build_text_tower(text: nn.Module, architecture: Architecture, *, quick_gelu: Optional[bool],
                     activation_checkpointing: bool) -> CLIPTextTower:
    """Make a text tower of open_clip's.

    Raises:
        ValueError: If it is not a plain causal transformer with a linear projection.
    """
    plain = (
        isinstance(text, TextTransformer) and text.attn_mask is not None and text.cls_emb is None
        and isinstance(text.text_projection, nn.Parameter) and not text.use_pad_mask)
    if not plain:
        raise ValueError(
            f'The text tower of {architecture!r} is not a plain causal transformer with a linear projection. Use one '
            f'of OpenAI\'s form, as in ViT-B-16.')
    return CLIPTextTower(text, quick_gelu=bool(quick_gelu), activation_checkpointing=activation_checkpointing)
