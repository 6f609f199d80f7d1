"""CLIP weights into files of any layout."""

import json
from pathlib import Path
from typing import Any, Dict, List, Union

import safetensors.torch
import torch
from open_clip import get_model_config, list_models
from torch import Tensor

from mmris.utils import write_atomically

from .architectures import find_architectures, measure_tower
from .clip import CLIPWeights
from .key_maps.clip import IMAGE, LAYOUTS, TEXT
from .key_maps.key_map import LEFT_OUT, State

SUFFIXES = ('.safetensors', '.pt', '.pth', '.bin')


def write_clip_weights(weights: CLIPWeights, out: Union[str, Path], layout: str) -> List[Path]:
    """Write CLIP weights, bit for bit.

    Args:
        weights (CLIPWeights): The weights.
        out (str or Path): The file, whose suffix tells the format, one of ``SUFFIXES``; for Hugging Face's layout a
            folder, which gets ``model.safetensors`` and ``config.json``.
        layout (str): ``'mmris'``, ``'openai'``, ``'open_clip'`` or ``'hugging_face'``.

    Returns:
        list[Path]: The files written.

    Raises:
        ValueError: If ``out`` has another suffix, the layout cannot hold the architecture or its activation, or the
            activation is not known.
        KeyMapError: If keys have no place in the layout.
    """
    out = Path(out)
    folder = layout == 'hugging_face'
    if folder != (out.suffix not in SUFFIXES):
        wanted = 'a folder' if folder else f'a file that ends with {", ".join(SUFFIXES)}'
        raise ValueError(f'Layout {layout} is written to {wanted}, but out is {out}.')
    _check_activation(weights, layout)
    state = _merge(weights)
    if folder:
        config = hugging_face_config(weights)
    state = LAYOUTS[layout].to_theirs(state, weights.source)
    if layout == 'mmris':
        state['text.quick_gelu'] = torch.tensor(weights.quick_gelu)
        if measure_image(weights)['patch_size'] is not None:
            state['image.quick_gelu'] = torch.tensor(weights.quick_gelu)
    if not folder:
        return [_save(state, out)]
    files = [_save(state, out / 'model.safetensors'), out / 'config.json']
    with write_atomically(files[1]) as temporary:
        temporary.write_text(f'{json.dumps(config, indent=2)}\n', encoding='utf-8')
    return files


def measure_image(weights: CLIPWeights) -> Dict[str, Any]:
    """The measures of the image tower.

    Raises:
        ValueError: If there is no image tower.
    """
    measures = measure_tower(weights.image)
    if measures is None:
        raise ValueError(f'{weights.source} holds no whole image tower of CLIP.')
    return measures


def _merge(weights: CLIPWeights) -> State:
    parts = ((IMAGE, weights.image), (TEXT, weights.text), (LEFT_OUT, weights.left_out))
    return {f'{prefix}{key}': tensor for prefix, part in parts for key, tensor in part.items()}


def _check_activation(weights: CLIPWeights, layout: str) -> None:
    if weights.quick_gelu is None and layout != 'open_clip':
        raise ValueError(
            f'{weights.source} does not tell whether its weights were trained with QuickGELU (as OpenAI\'s) or GELU, '
            f'which layout {layout} needs: say it with --quick-gelu or --gelu.')
    if layout == 'openai' and not weights.quick_gelu:
        raise ValueError(f'{weights.source} was trained with GELU, but what reads OpenAI\'s layout computes QuickGELU.')


def _save(state: State, path: Path) -> Path:
    # Copies: a part of a larger tensor would bring all of it along, and safetensors refuses tensors that share memory.
    state = {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in sorted(state.items())}
    with write_atomically(path) as temporary:
        if path.suffix == '.safetensors':
            safetensors.torch.save_file(state, temporary, metadata=dict(format='pt'))
        else:
            torch.save(state, temporary)
    return path


def hugging_face_config(weights: CLIPWeights) -> Dict[str, Any]:
    """Make what transformers' ``CLIPModel`` is built from.

    Args:
        weights (CLIPWeights): The weights, whose activation is known.

    Returns:
        dict: The content of ``config.json``.

    Raises:
        ValueError: If they are not those of a ViT and a text tower.
    """
    image, text = measure_image(weights), measure_tower(weights.text)
    if image['patch_size'] is None:
        raise ValueError(f'{weights.source} holds a ResNet, but Hugging Face\'s CLIP has ViTs alone.')
    if text is None:
        raise ValueError(f'{weights.source} holds no whole text tower of CLIP.')
    activation = 'quick_gelu' if weights.quick_gelu else 'gelu'
    dtypes = {tensor.dtype for part in (weights.image, weights.text) for tensor in part.values()}
    return dict(
        architectures=['CLIPModel'],
        model_type='clip',
        projection_dim=image['embed_dim'],
        # Of mixed types the one that holds all.
        torch_dtype=str(dtypes.pop() if len(dtypes) == 1 else torch.float32).removeprefix('torch.'),
        vision_config=dict(
            model_type='clip_vision_model',
            image_size=image['image_size'],
            patch_size=image['patch_size'],
            **_transformer_config(weights.image, image['width'], image['layers'], image['embed_dim'], activation)),
        text_config=dict(
            model_type='clip_text_model',
            max_position_embeddings=text['context_length'],
            vocab_size=text['vocab_size'],
            # CLIP's vocabulary ends with the two; the sentence is read at the highest.
            bos_token_id=text['vocab_size'] - 2,
            eos_token_id=text['vocab_size'] - 1,
            **_transformer_config(weights.text, text['width'], text['layers'], text['embed_dim'], activation)))


def _transformer_config(state: State, width: int, layers: int, embed_dim: int, activation: str) -> Dict[str, Any]:
    return dict(
        hidden_size=width,
        intermediate_size=len(state['transformer.resblocks.0.mlp.c_fc.weight']),
        num_hidden_layers=layers,
        num_attention_heads=_heads(state, width),
        projection_dim=embed_dim,
        hidden_act=activation)


def _heads(state: Dict[str, Tensor], width: int) -> int:
    """Heads, which shapes do not tell: those of open_clip's model of these shapes, else of 64 channels, as OpenAI's."""
    found = set()
    for config in map(get_model_config, find_architectures(state, list_models())):
        image, text = config['vision_cfg'], config['text_cfg']
        found.add(text['heads'] if 'token_embedding.weight' in state else width // image.get('head_width', 64))
    return found.pop() if len(found) == 1 else max(width // 64, 1)
