"""Pixels that gather words, against the equations."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmris.models.layers import PixelWordAttention
from tests.conftest import assert_close

CHANNELS, WORDS, OUT = 8, 12, 10
LENGTHS, IMAGE_INDEX = (6, 3, 5), (1, 0, 1)


def attention(activation: str) -> PixelWordAttention:
    torch.manual_seed(0)
    built = PixelWordAttention(CHANNELS, OUT, word_channels=WORDS, activation=activation).double()
    with torch.no_grad():
        for value in built.parameters():
            value.add_(0.3 * torch.randn_like(value))
    return built


def inputs() -> tuple:
    torch.manual_seed(1)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return (torch.randn(2, CHANNELS, 4, 5, dtype=torch.float64),
            torch.randn(len(LENGTHS), max(LENGTHS), WORDS, dtype=torch.float64), mask, torch.tensor(IMAGE_INDEX))


def normed(cells: Tensor) -> Tensor:
    """InstanceNorm of ``(N, C)``."""
    return (cells - cells.mean(dim=0)) / (cells.var(dim=0, unbiased=False) + 1e-5).sqrt()


def plain(module: PixelWordAttention, stage: Tensor, words: Tensor, activation: str) -> Tensor:
    """One image ``(C, h, w)`` and the words of one sentence, without padding."""
    function = dict(relu=F.relu, gelu=F.gelu)[activation]
    state = {name: value.flatten(1) if value.dim() == 4 else value for name, value in module.state_dict().items()}
    cells = stage.flatten(1).T
    key, value = (words @ state['key_value.weight'].T).split(CHANNELS, dim=1)
    query = normed(cells @ state['query.0.weight'].T)
    weights = (query @ key.T / CHANNELS**0.5).softmax(dim=1)
    gathered = normed(weights @ value @ state['gathered.0.weight'].T)
    pixels = function(cells @ state['pixels.0.weight'].T + state['pixels.0.bias'])
    found = function((pixels * gathered) @ state['out.0.weight'].T + state['out.0.bias'])
    return found.T.unflatten(1, stage.shape[1:])


@pytest.mark.parametrize('activation', ['relu', 'gelu'])
def test_against_the_equations(activation):
    module, (stage, words, mask, index) = attention(activation), inputs()
    found = module(stage, words, mask, index)
    for row, (image, length) in enumerate(zip(IMAGE_INDEX, LENGTHS)):
        assert_close(found[row], plain(module, stage[image], words[row, :length], activation), 1e-10)
    assert (found < 0).any() == (activation == 'gelu')


def test_weights_are_those_that_it_takes():
    module, (stage, words, mask, index) = attention('gelu'), inputs()
    weights = module.attention_weights(stage, words, mask, index)
    assert weights.shape == (3, 1, 20, 6) and not weights[1, 0, :, 3:].any()
    assert_close(weights.sum(dim=3), torch.ones(3, 1, 20, dtype=torch.float64))


def test_padding_has_no_part():
    module, (stage, words, mask, index) = attention('gelu'), inputs()
    found = module(stage, words, mask, index)
    other = torch.where(mask[..., None], words, torch.full_like(words, 1e4))
    assert torch.equal(module(stage, other, mask, index), found)


def test_maps_of_pixels_run_once_an_image():
    module, rows = attention('gelu'), {}
    for name in ('query', 'pixels', 'key_value', 'gathered', 'out'):
        getattr(module, name).register_forward_hook(
            lambda _, __, output, name=name: rows.__setitem__(name, len(output)))
    module(*inputs())
    assert rows == dict(query=2, pixels=2, key_value=3, gathered=3, out=3)


def test_words_are_as_wide_as_pixels_unless_said():
    assert PixelWordAttention(CHANNELS, OUT).key_value.in_features == CHANNELS


def test_unknown_activation():
    with pytest.raises(ValueError, match="activation of PixelWordAttention must be one of relu, gelu, but got 'tanh'"):
        PixelWordAttention(CHANNELS, OUT, activation='tanh')
