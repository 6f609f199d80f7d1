"""ViLT's architecture, and published weights into an encoder of it, with instance masks or without."""

from typing import Dict, Mapping, Union

from mmengine.logging import print_log
from torch import Tensor, nn

from mmris.checkpoints import measure_vilt, read_vilt_weights
from mmris.checkpoints.loading import find_misfits
from mmris.utils import is_part

from .architecture import Architecture, PublishedModel

VILT = PublishedModel(
    name='ViLT',
    architectures=dict(
        base=dict(
            layers=12,
            channels=768,
            heads=12,
            feedforward_channels=3072,
            patch_size=32,
            image_size=384,
            vocabulary=30522,
            text_positions=40)),
    read=read_vilt_weights,
    measure=measure_vilt)
# What an encoder that takes instance masks in has more than ViLT.
_MASK_TYPE, _MASK_PLACE = 'mask_type', 'mask_place'


def complete_architecture(architecture: Union[str, dict]) -> Architecture:
    """All measures of an architecture of ViLT; see :meth:`PublishedModel.complete`."""
    return VILT.complete(architecture)


def load_vilt(encoder: nn.Module, path: str, architecture: Architecture, *, trust: bool) -> None:
    """Load ViLT's weights, or those of an encoder trained here, into an encoder.

    What a file has of instance masks is taken by an encoder that takes them in, and left out for others. Where it has
    nothing of them, their type begins as a copy of the image's, and the map of their places stays as it is.

    Args:
        encoder (nn.Module): The encoder.
        path (str): A file or an address.
        architecture (dict[str, int]): What the encoder was built from.
        trust (bool): Also read a file that holds more than tensors.

    Raises:
        FileNotFoundError: If there is no such file; the message tells where published ones are named.
        ValueError: If it cannot be read, or has keys that are not ViLT's.
        RuntimeError: If the weights are of another architecture.
    """
    weights = VILT.read_file(path, trust)
    expected = encoder.state_dict()
    state, masked = dict(weights.encoder), _MASK_TYPE in expected
    if not masked:
        state = {name: value for name, value in state.items() if not _is_of_masks(name)}
    elif not any(map(_is_of_masks, state)):
        expected = {name: value for name, value in expected.items() if not _is_of_masks(name)}
    misfits = find_misfits(expected, state)
    if misfits:
        advice = [VILT.advise(state, architecture), _advise_on_words(state, architecture), misfits]
        raise RuntimeError(f'{path} does not fit the ViLT of the config. {" ".join(filter(None, advice))}')
    if masked and _MASK_TYPE not in state:
        state[_MASK_TYPE] = state['token_types'][1]
    encoder.load_state_dict(state, strict=False)
    print_log(f'Loaded ViLT from {path}.', logger='current')


def _is_of_masks(name: str) -> bool:
    return is_part(name, (_MASK_TYPE, _MASK_PLACE))


def _advise_on_words(state: Mapping[str, Tensor], architecture: Architecture) -> str:
    others: Dict[str, int] = VILT.find_others(state, architecture) or {}
    if 'vocabulary' not in others:
        return ''
    return (f'Its {others["vocabulary"]} words are those of the tokenizer that it was trained with: set that one '
            f'in the config too (for ViLT itself BERT\'s, of 30522 words in vocab.txt).')
