"""CLIP weights by open_clip's tags, such as ``'openai'``, which open_clip downloads."""

from pathlib import Path
from typing import Any, Mapping, Tuple, Union

from open_clip import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model


def download_tag(pretrained: str, architecture: Union[str, dict, None]) -> Tuple[str, bool]:
    """Download the weights of a tag, unless they are here already.

    Args:
        pretrained (str): A tag of the architecture.
        architecture (str or dict, optional): An open_clip model name. Others have no tags.

    Returns:
        tuple[str, bool]: The file, and whether its weights were trained with QuickGELU.

    Raises:
        ValueError: If the architecture has no such tag; the message lists its tags.
        ConnectionError: If open_clip cannot download it.
    """
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
    return _download(pretrained, tag), bool(tag.get('quick_gelu', False))


def _download(pretrained: str, tag: Mapping[str, Any]) -> str:
    try:
        return download_pretrained(tag)
    except Exception as error:
        # Each way to download fails with its own kind of error.
        raise ConnectionError(
            f'open_clip could not download pretrained={pretrained!r} ({error}). Without a network, give a file: '
            f'see {tag.get("url") or "https://huggingface.co/" + tag.get("hf_hub", "")}.') from error
