"""CLIP weights by open_clip's tag, from a file or a folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

from open_clip import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

from .file_kinds import unreadable
from .key_maps.clip import HUGGING_FACE, IMAGE, OPENAI, OURS, TEXT, behind, detect_layout
from .key_maps.key_map import LEFT_OUT, KeyMap, State
from .left_out import read_note
from .reading import read_checkpoint
from .resuming import best_checkpoint
from .unwrapping import fit_layout, unwrap_weights

# Weights in a folder as the Hugging Face hub gives it, the safe ones first. open_clip's stand beside timm's now and
# then, which are the image tower alone.
_NAMES = ('open_clip_model.safetensors', 'model.safetensors', 'open_clip_pytorch_model.bin', 'pytorch_model.bin')
_QUICK_GELU = ('image.quick_gelu', 'text.quick_gelu')
_ENCODER = 'encoder.'
_TOWERS = (_ENCODER + IMAGE, _ENCODER + TEXT)


@dataclass(frozen=True)
class CLIPWeights:
    """Weights of CLIP, of whatever layout they were.

    Attributes:
        image (dict[str, Tensor]): By the keys of open_clip's ``VisionTransformer`` or ``ModifiedResNet``.
        text (dict[str, Tensor]): By the keys of open_clip's ``TextTransformer``.
        left_out (dict[str, Tensor]): What CLIP has and no model of ours, as ``logit_scale``.
        quick_gelu (bool, optional): Whether they were trained with QuickGELU, not GELU. None where nothing tells.
        source (str): The file that they come from.
        others (tuple[str]): Keys of the file that are not CLIP's: the rest of a model trained here.
    """

    image: State
    text: State
    left_out: State
    quick_gelu: Optional[bool]
    source: str
    others: Tuple[str, ...] = ()


def read_clip_weights(pretrained: str,
                      architecture: Union[str, dict, None] = None,
                      trust: bool = False,
                      trust_option: str = 'trust_pretrained=True of the encoder') -> CLIPWeights:
    """Read CLIP weights in OpenAI's, open_clip's, Hugging Face's or our layout, told by their keys.

    Args:
        pretrained (str): A file, a folder as the Hugging Face hub gives it, the work folder of a training here, of
            which the best checkpoint is read, or a tag of the architecture (``'openai'``, ``'laion2b_s34b_b88k'``),
            which open_clip downloads.
        architecture (str or dict, optional): An open_clip model name, or a dict in the form of its model configs; tags
            belong to names. Defaults to None.
        trust (bool): Also read a file that holds more than tensors, by running what it says. Defaults to False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.

    Returns:
        CLIPWeights: The weights, in the file's types of numbers.

    Raises:
        ValueError: If ``pretrained`` is neither file nor folder nor a tag of the architecture; the message lists its
            tags.
        ConnectionError: If open_clip cannot download the tag.
        UnreadableCheckpointError: If the file holds no CLIP weights, was saved without them, is truncated or damaged,
            holds more than tensors, or if what lies beside it does not tell a known activation.
        KeyMapError: If keys of the layout are missing or left over.
    """
    tag: Mapping[str, Any] = {}
    if Path(pretrained).is_dir():
        path = str(_find_in_folder(Path(pretrained)))
    elif Path(pretrained).is_file() or '://' in pretrained:
        path = pretrained
    else:
        tag = _find_tag(pretrained, architecture)
        path = _download(pretrained, tag)
    checkpoint = read_checkpoint(path, trust=trust, trust_option=trust_option)
    absent = [name for name in read_note(checkpoint, path) if any(tower.startswith(f'{name}.') for tower in _TOWERS)]
    if absent:
        raise unreadable(
            path, f'it was saved without {" and ".join(absent)}: give the file that these were loaded from')
    state, beside = fit_layout(unwrap_weights(checkpoint, path), _is_known)
    state, others = _split_encoder(state)
    layout = detect_layout(state)
    if layout is None:
        begin = ', '.join(sorted(state)[:5]) or 'nothing'
        raise unreadable(
            path, f'it holds no CLIP weights by the keys of OpenAI, open_clip, Hugging Face or mmris, but {begin}')
    quick_gelu = _read_quick_gelu(state, layout, path)
    if quick_gelu is None and tag:
        quick_gelu = bool(tag.get('quick_gelu', False))
    weights = {key: tensor for key, tensor in state.items() if layout is not OURS or key not in _QUICK_GELU}
    ours = layout.to_ours(weights, path)
    return CLIPWeights(behind(ours, IMAGE), behind(ours, TEXT), behind(ours, LEFT_OUT), quick_gelu, path,
                       (*others, *beside))


def _find_in_folder(folder: Path) -> Path:
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    try:
        return best_checkpoint(folder)
    except FileNotFoundError as error:
        raise ValueError(
            f'pretrained={str(folder)!r} is a folder without weights in one file: none of {", ".join(_NAMES)} is '
            f'there, nor a best_*.pth that a training here leaves.') from error


def _find_tag(pretrained: str, architecture: Union[str, dict, None]) -> Mapping[str, Any]:
    name = architecture if isinstance(architecture, str) else None
    tag = get_pretrained_cfg(name, pretrained) if name else {}
    if not tag:
        tags = list_pretrained_tags_by_model(name) if name else []
        known = f'tags of {name} are {", ".join(tags)}' if tags else 'this architecture has no tags'
        path = ''
        if '/' in pretrained or Path(pretrained).suffix in ('.pth', '.pt', '.bin', '.safetensors'):
            path = (f' As a path it leads to {Path(pretrained).absolute()}, where there is nothing: if that is to be '
                    f'left by another training, run it first.')
        raise ValueError(
            f'pretrained={pretrained!r} is neither a file nor a folder nor an open_clip tag: {known}.{path}')
    return tag


def _download(pretrained: str, tag: Mapping[str, Any]) -> str:
    try:
        return download_pretrained(tag)
    except Exception as error:
        # Each way to download fails with its own kind of error.
        raise ConnectionError(
            f'open_clip could not download pretrained={pretrained!r} ({error}). Without a network, give a file: '
            f'see {tag.get("url") or "https://huggingface.co/" + tag.get("hf_hub", "")}.') from error


def _is_known(state: State) -> bool:
    return any(key.startswith(_TOWERS) for key in state) or detect_layout(state) is not None


def _split_encoder(state: State) -> Tuple[State, Tuple[str, ...]]:
    """The encoder's CLIP out of a model trained here, and the keys of the rest; other files whole."""
    if not any(key.startswith(_TOWERS) for key in state):
        return state, ()
    clip = {
        key.removeprefix(_ENCODER): tensor
        for key, tensor in state.items()
        if key.startswith((*_TOWERS, LEFT_OUT)) or key.removeprefix(_ENCODER) in _QUICK_GELU
    }
    return clip, tuple(key for key in state if key.removeprefix(_ENCODER) not in clip)


def _read_quick_gelu(state: State, layout: KeyMap, path: str) -> Optional[bool]:
    if layout is OURS:
        said = {bool(state[key]) for key in _QUICK_GELU if key in state}
        if len(said) > 1:
            raise unreadable(path, 'its image and text tower have different activations')
        return said.pop() if said else None
    if layout is OPENAI:
        return True
    if layout is HUGGING_FACE:
        return _read_beside(path, 'config.json', _hugging_face_activation)
    return _read_beside(path, 'open_clip_config.json', _open_clip_activation)


def _read_beside(path: str, name: str, read: Callable[[Dict[str, Any]], Optional[bool]]) -> Optional[bool]:
    config = Path(path).with_name(name)
    if '://' in path or not config.is_file():
        return None
    try:
        return read(json.loads(config.read_text(encoding='utf-8')))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise unreadable(path, f'{config} beside it does not tell its activation ({error!r})') from error


def _hugging_face_activation(config: Dict[str, Any]) -> Optional[bool]:
    towers = [config[name] for name in ('vision_config', 'text_config') if name in config]
    if not towers and not config.get('model_type', '').startswith('clip'):
        return None
    towers = towers or [config]
    # transformers leaves out what is its default.
    found = {tower.get('hidden_act', 'quick_gelu') for tower in towers}
    if len(found) > 1 or not found <= {'quick_gelu', 'gelu'}:
        raise ValueError(f'hidden_act must be quick_gelu or gelu, the same in both towers, but is {", ".join(found)}')
    return found == {'quick_gelu'}


def _open_clip_activation(config: Dict[str, Any]) -> Optional[bool]:
    return bool(config['model_cfg'].get('quick_gelu', False))
