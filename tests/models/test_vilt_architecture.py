"""ViLT's architecture, and weights of it into an encoder with instance masks or without."""

import argparse

import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError
from mmris.checkpoints.published import VILT
from mmris.checkpoints.published.vilt import ARCHITECTURES, KEY_MAP
from mmris.models.encoders import TrimodalEncoder
from tests.conftest import assert_same

ARCHITECTURE = dict(
    layers=2,
    channels=32,
    heads=4,
    feedforward_channels=48,
    patch_size=16,
    image_size=64,
    vocabulary=90,
    text_positions=14)


def build(**options):
    torch.manual_seed(options.pop('seed', 0))
    return TrimodalEncoder(**{**dict(architecture=ARCHITECTURE, taps=(2, )), **options})


def published(tmp_path, **options):
    """A file in ViLT's own layout, and what it holds by our keys."""
    weights = {name: value.detach() for name, value in build(seed=1, masks=False, **options).state_dict().items()}
    path = tmp_path / 'vilt.ckpt'
    torch.save(dict(state_dict={**KEY_MAP.to_theirs(weights, 'test'), 'itm_score.fc.bias': torch.zeros(2)}), path)
    return str(path), weights


def trained(tmp_path, **options):
    """A checkpoint of a model trained here, and its encoder's weights."""
    weights = {name: value.detach() for name, value in build(seed=1, **options).state_dict().items()}
    state = {f'encoder.{name}': value for name, value in weights.items()}
    torch.save(dict(state_dict={**state, 'neck.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
    return str(tmp_path / 'epoch_1.pth'), weights


class TestLoading:

    def test_two_modalities(self, tmp_path):
        path, weights = published(tmp_path)
        encoder = build(masks=False, pretrained=path)
        assert not torch.equal(encoder.token_types, weights['token_types'])
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), weights)

    def test_three_modalities(self, tmp_path):
        """Masks begin as a kind of image; their places are as they were drawn."""
        path, weights = published(tmp_path)
        encoder = build(pretrained=path)
        place = {name: value.clone() for name, value in encoder.mask_place.named_parameters()}
        encoder.load_pretrained()
        state = dict(encoder.state_dict())
        assert_same({name: state[name] for name in weights}, weights)
        assert torch.equal(encoder.mask_type, weights['token_types'][1])
        assert_same({name: value.detach() for name, value in encoder.mask_place.named_parameters()},
                    {name: value.detach() for name, value in place.items()})
        # A copy: the one is trained without the other.
        assert encoder.mask_type.data_ptr() != encoder.token_types[1].data_ptr()

    def test_a_model_trained_here(self, tmp_path):
        path, weights = trained(tmp_path)
        encoder = build(pretrained=path)
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), weights)

    def test_a_model_of_other_modalities(self, tmp_path):
        path, weights = trained(tmp_path)
        encoder = build(masks=False, pretrained=path)
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), {name: weights[name] for name in encoder.state_dict()})
        path, weights = trained(tmp_path, masks=False)
        encoder = build(pretrained=path)
        encoder.init_weights()
        assert torch.equal(encoder.mask_type, weights['token_types'][1])
        assert {name for name in encoder.state_dict() if not VILT.has(name)} == set(encoder.state_dict()) - set(weights)

    @pytest.mark.parametrize('lost', ['mask_type', 'mask_place.bias'])
    def test_a_part_of_what_masks_need(self, tmp_path, lost):
        path, weights = trained(tmp_path)
        del weights[lost]
        torch.save(weights, path)
        with pytest.raises(RuntimeError, match=f'fit the ViLT of the config. Missing: {lost}. Left over: none'):
            build(pretrained=path).init_weights()


class TestMisfits:

    @pytest.mark.parametrize('change, message', [
        (dict(channels=16, heads=2), 'channels=16 instead of 32. Its heads, which shapes do not tell, can be others'),
        (dict(layers=3), 'layers=3 instead of 2. Missing: none. Left over: blocks.2'),
        (dict(text_positions=9), 'text_positions=9 instead of 14. M'),
        (dict(patch_size=8), 'patch_size=8 instead of 16. Missing'),
        (dict(image_size=96), r'image_size=96 instead of 64. .* image_positions \(37, 32\) in the file, \(17, 32\) in'),
        (dict(vocabulary=80), 'vocabulary=80 instead of 90. Its 80 words are those of the tokenizer that it was '
         'trained with: set that one in the config too .* vocab.txt.. Missing: none'),
    ])
    def test_another_architecture(self, tmp_path, change, message):
        path, _ = published(tmp_path, architecture=dict(ARCHITECTURE, **change), taps=(change.get('layers', 2), ))
        with pytest.raises(RuntimeError, match=f'vilt.ckpt does not fit the ViLT of the config. Set in architecture '
                           f'what the file has: {message}'):
            build(pretrained=path).init_weights()

    @pytest.mark.parametrize('architecture, found', [
        ('base', "'base'"),
        (dict(image_size=480), r"dict\(name='base', image_size=480\)"),
    ])
    def test_a_known_architecture(self, tmp_path, architecture, found):
        with torch.device('meta'):
            weights = KEY_MAP.to_theirs(TrimodalEncoder(architecture=architecture, masks=False).state_dict(), 'test')
        path = tmp_path / 'known.pth'
        # One number stands for all of a tensor, which only the old format may say.
        weights = {name: torch.zeros(1).expand(value.shape) for name, value in weights.items()
                   if name != 'text_embeddings.position_ids'}
        torch.save(dict(state_dict=weights), path, _use_new_zipfile_serialization=False)
        with pytest.raises(RuntimeError, match=f'known.pth does not fit .* It is of architecture={found}: set that. '
                           'Its 30522 words are those of the tokenizer'):
            build(pretrained=str(path)).init_weights()

    def test_missing(self):
        with pytest.raises(FileNotFoundError, match='There is no checkpoint data/none.ckpt. docs/pretrained.md says '
                           'where ViLT\'s files come from'):
            build(pretrained='data/none.ckpt').init_weights()

    def test_a_part(self, tmp_path):
        path, _ = published(tmp_path)
        state = torch.load(path)['state_dict']
        del state['transformer.pos_embed']
        torch.save(state, path)
        with pytest.raises(RuntimeError, match='not hold a whole ViLT. Missing: image_positions. Left over: none.'):
            build(pretrained=path).init_weights()

    def test_trust(self, tmp_path):
        path, weights = published(tmp_path)
        torch.save(dict(torch.load(path), arguments=argparse.Namespace(epochs=10)), path,
                   _use_new_zipfile_serialization=False)
        with pytest.raises(UnreadableCheckpointError, match='trust_pretrained=True of the encoder reads it'):
            build(pretrained=path).init_weights()
        encoder = build(pretrained=path, masks=False, trust_pretrained=True)
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), weights)


def test_complete_architecture():
    base = dict(layers=12, channels=768, heads=12, feedforward_channels=3072, patch_size=32, image_size=384,
                vocabulary=30522, text_positions=40)
    assert ARCHITECTURES.complete('base') == ARCHITECTURES.complete(dict()) == base
    assert ARCHITECTURES.complete(dict(channels=96))['feedforward_channels'] == 384
    assert ARCHITECTURES.complete(dict(name='base', image_size=480)) == dict(base, image_size=480)


@pytest.mark.parametrize('architecture, message', [
    ('large', "architecture 'large' is no ViLT. Known: base, or a dict of one of these as name and"),
    (dict(depth=3), 'architecture has entries that ViLT has not: depth. It takes name, layers, channels'),
    (dict(image_size=400), 'image_size of the architecture must be a multiple of patch_size, but got 400 and 32'),
])
def test_what_is_no_architecture(architecture, message):
    with pytest.raises(ValueError, match=message):
        TrimodalEncoder(architecture=architecture)
