"""Which CLIP architecture weights are of, by their shapes."""

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional

from open_clip import get_model_config, list_models
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from torch import Tensor

from ..files import State

# Before the keys of open_clip's towers in a ``CLIPEncoder``.
IMAGE, TEXT = 'image.clip.', 'text.clip.'
# Those that OpenAI and others publish in a form that the encoders take.
ARCHITECTURES = ('ViT-B-32', 'ViT-B-16', 'ViT-L-14', 'ViT-L-14-336', 'RN50', 'RN101')
_CONFIGS = {
    'ViT-B-16': 'configs/cm_masksd/vit-b_refcoco.py',
    'ViT-L-14': 'configs/cm_masksd/vit-l_refcoco.py',
    'RN50': 'configs/cris/rn50_refcoco.py',
    'RN101': 'configs/cris/rn101_refcoco.py',
}
Measures = Dict[str, Any]


def measure_tower(state: Mapping[str, Tensor]) -> Optional[Measures]:
    """Read the measures of a CLIP tower off its weights, by the names of open_clip's model configs.

    Args:
        state (Mapping[str, Tensor]): Weights of open_clip's ``VisionTransformer``, ``ModifiedResNet`` or
            ``TextTransformer``.

    Returns:
        dict or None: ``embed_dim``, ``width``, ``layers``, and of an image tower ``image_size`` and ``patch_size``
        (None for a ResNet), of a text tower ``context_length`` and ``vocab_size``. None if it is none of them.
    """
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items() if isinstance(tensor, Tensor)}
    for measure in (_measure_text, _measure_vit, _measure_resnet):
        try:
            return measure(shapes)
        except (KeyError, IndexError):
            # A key that this tower has is not there, or has fewer dimensions.
            continue
    return None


def part_of(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose keys begin with a prefix, by their keys without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def find_architectures(state: Mapping[str, Tensor], names: Iterable[str] = ARCHITECTURES) -> List[str]:
    """Find the architectures that have a tower of the shapes of these weights.

    Args:
        state (Mapping[str, Tensor]): Weights of one tower.
        names (Iterable[str]): Models of open_clip to choose from. Defaults to ``ARCHITECTURES``.

    Returns:
        list[str]: Their names: one for an image tower that is known, often several for a text tower.
    """
    measures = measure_tower(state)
    side = 'text' if measures is not None and 'vocab_size' in measures else 'image'
    return [] if measures is None else [name for name in names if _measure_config(name)[side] == measures]


def describe_architecture(state: Mapping[str, Tensor]) -> str:
    """Say in a sentence of which architecture weights of a tower are, and what to set for it."""
    names = find_architectures(state)
    if names:
        return f'The file\'s shapes are those of {" or ".join(map(_with_remedy, names))}.'
    measures = measure_tower(state)
    if measures is None:
        return 'The file does not hold a whole tower of CLIP.'
    found = ', '.join(f'{name} {value}' for name, value in measures.items() if value is not None)
    return f'The file\'s shapes ({found}) are those of none of {", ".join(ARCHITECTURES)}.'


def find_heads(state: Mapping[str, Tensor], width: int) -> int:
    """Find the number of attention heads of a tower, which shapes do not tell.

    Args:
        state (Mapping[str, Tensor]): Weights of one tower.
        width (int): Its width.

    Returns:
        int: That of open_clip's model of these shapes, or, where there is none, heads of 64 channels, as OpenAI's.
    """
    found = set()
    for config in map(get_model_config, find_architectures(state, list_models())):
        image, text = config['vision_cfg'], config['text_cfg']
        found.add(text['heads'] if 'token_embedding.weight' in state else width // image.get('head_width', 64))
    return found.pop() if len(found) == 1 else max(width // 64, 1)


def _with_remedy(name: str) -> str:
    return f'{name} ({_CONFIGS[name]})' if name in _CONFIGS else f'{name} (set encoder.architecture={name!r})'


def _measure_text(shapes: Dict[str, tuple]) -> Measures:
    vocab_size, width = shapes['token_embedding.weight']
    return dict(
        embed_dim=shapes['text_projection'][1],
        width=width,
        layers=_count(shapes, 'transformer.resblocks.'),
        context_length=shapes['positional_embedding'][0],
        vocab_size=vocab_size)


def _measure_vit(shapes: Dict[str, tuple]) -> Measures:
    width, _, _, patch_size = shapes['conv1.weight']
    return dict(
        embed_dim=shapes['proj'][1],
        width=width,
        layers=_count(shapes, 'transformer.resblocks.'),
        image_size=patch_size * _side(shapes['positional_embedding']),
        patch_size=patch_size)


def _measure_resnet(shapes: Dict[str, tuple]) -> Measures:
    return dict(
        embed_dim=shapes['attnpool.c_proj.weight'][0],
        width=shapes['layer1.0.conv1.weight'][0],
        layers=[_count(shapes, f'layer{number}.') for number in range(1, 5)],
        image_size=32 * _side(shapes['attnpool.positional_embedding']),
        patch_size=None)


def _count(shapes: Dict[str, tuple], prefix: str) -> int:
    pattern = re.compile(rf'{re.escape(prefix)}(\d+)\.')
    return len({match[1] for key in shapes if (match := pattern.match(key))})


def _side(positions: tuple) -> int:
    # One position is that of the class token, or of the mean.
    return round(max(positions[0] - 1, 0)**0.5)


def _measure_config(name: str) -> Dict[str, Measures]:
    """The same measures of a model of open_clip; an empty dict for a tower that is not open_clip's own."""
    config = get_model_config(name)
    image, text = CLIPVisionCfg(**config['vision_cfg']), CLIPTextCfg(**config['text_cfg'])
    resnet = isinstance(image.layers, (list, tuple))
    return dict(
        image={} if image.timm_model_name else dict(
            embed_dim=config['embed_dim'],
            width=image.width,
            layers=image.layers,
            image_size=image.image_size,
            patch_size=None if resnet else image.patch_size),
        text={} if text.hf_model_name else dict(
            embed_dim=config['embed_dim'],
            width=text.width,
            layers=text.layers,
            context_length=text.context_length,
            vocab_size=text.vocab_size))
