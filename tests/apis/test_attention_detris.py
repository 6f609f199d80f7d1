"""Where DETRIS's patches look, against the weights of its adapters written out."""

import pytest
import torch
from mmengine.config import Config

from mmris.apis.attention import AttentionPredictor
from mmris.datasets.pipelines import resolve_pipelines
from tests.apis.test_attention import SENTENCE, at_centres, build, passes, photograph
from tests.conftest import ROOT


def predictor_of(**changes: dict) -> AttentionPredictor:
    """The demo's model at 64 x 64 pixels."""
    config = Config.fromfile(ROOT / 'configs/detris/tiny_shaperef.py')
    config.merge_from_dict(dict(model=changes))
    config.inputs.views.main.size = 64
    resolve_pipelines(config)
    return build(config)


@pytest.fixture(scope='module')
def predictor() -> AttentionPredictor:
    return predictor_of()


def test_maps(predictor):
    assert [(one.part, one.name, one.kind) for one in predictor.look(SENTENCE).maps] == [
        ('encoder', 'block 2', 'pixels on words'),
        ('encoder', 'block 4', 'pixels on words'),
        ('encoder', 'block 6', 'pixels on words'),
        ('decoder', 'layer 1', 'pixels on words'),
    ]


def test_adapters_between_stages():
    """The last before each stage, once if it is before several; a joint space, where there is one."""
    found = predictor_of(
        encoder=dict(image_adapter_blocks=(1, 5), joint_map=True), neck=dict(in_channels=(64, 64, 96)))
    maps = [(one.name, one.kind) for one in found.look(SENTENCE).maps if one.part == 'encoder']
    assert maps == [('block 1', 'pixels on words'), ('block 5', 'pixels on words'),
                    ('joint space', 'sentence with patches')]


@torch.inference_mode()
def test_weights(predictor):
    """Of "the red circle" the three words; the ends and eleven tokens of padding take the rest."""
    look = predictor.model.encoder.image_adapters['3'].look_at_words
    taken = []
    handle = look.register_forward_pre_hook(lambda _, arguments: taken.append(arguments))
    predictor.set_image(photograph())
    found = predictor.look(SENTENCE).maps[1]
    handle.remove()
    patches, words = (one[0] for one in taken[0])
    assert patches.shape == (64, 32) and words.shape == (16, 64)
    query, key = look.patches_in(patches), look.words_in(words)
    weight, bias = look.attention.in_proj_weight, look.attention.in_proj_bias
    query, key = (value @ weight[start:start + 32].T + bias[start:start + 32] for value, start in
                  ((query, 0), (key, 32)))
    heads = zip(query.chunk(2, dim=1), key.chunk(2, dim=1))
    weights = torch.stack([(one @ other.T / 4).softmax(dim=1) for one, other in heads]).mean(dim=0)
    expected = weights[:, 1:4].sum(dim=1).view(8, 8)[1:7].numpy()
    assert abs(at_centres(found.values) - expected).max() < 1e-5
    assert passes(predictor)[0].text.token_mask.sum() == 5
