"""Where RISCLIP looks, against its weights written out."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmris.apis.attention import AttentionPredictor
from tests.apis.test_attention import SENTENCE, at_centres, build, photograph, with_model

# Both have no towers to load here.
STAGE_1 = ('risclip/vit-tiny_shaperef_stage1.py', dict(encoder=dict(pretrained=None)))
STAGE_2 = ('risclip/vit-tiny_shaperef_stage2.py', dict(encoder=dict(pretrained=None, taps=(2, 4)),
                                                       decoder=dict(in_channels=(64, 64))))


@pytest.fixture(scope='module')
def stage_2() -> AttentionPredictor:
    return build(with_model(STAGE_2[0], **STAGE_2[1]))


def mean_weights(attention: nn.Module, tokens: Tensor, context: Tensor) -> Tensor:
    """Of each token on each of the context, head after head."""
    key = attention.key_value(context)[:, :attention.query.out_features]
    heads = zip(attention.query(tokens).chunk(attention.num_heads, dim=1), key.chunk(attention.num_heads, dim=1))
    return torch.stack([(one @ other.T / one.size(1)**0.5).softmax(dim=1) for one, other in heads]).mean(dim=0)


def test_maps_of_the_second_stage(stage_2):
    assert [(one.part, one.name, one.kind) for one in stage_2.look(SENTENCE).maps] == [
        ('encoder', 'CFE 2', 'end token on patches'),
        ('encoder', 'CFE 4', 'end token on patches'),
        ('encoder', 'block 4', 'class token on patches'),
        ('encoder', 'SKE 2', 'end token on patches'),
        ('encoder', 'joint space', 'sentence with patches'),
    ]


def test_maps_of_the_first_stage():
    first = build(with_model(STAGE_1[0], **STAGE_1[1])).look(SENTENCE)
    assert [one.name for one in first.maps] == ['CFE 1', 'CFE 2', 'CFE 3', 'CFE 4', 'block 4', 'SKE 2', 'joint space']
    bare = dict(STAGE_1[1]['encoder'], cfe_blocks=(), ske_modules=0)
    left = build(with_model(STAGE_1[0], encoder=bare)).look(SENTENCE)
    assert [one.name for one in left.maps] == ['block 4', 'joint space']


@torch.inference_mode()
def test_end_token(stage_2):
    """Of the patches in the letterbox border, the first and last row, it takes nothing."""
    module = stage_2.model.encoder.cfe['4']
    taken = []
    handle = module.register_forward_pre_hook(lambda _, arguments: taken.append(arguments))
    stage_2.set_image(photograph())
    found = stage_2.look(SENTENCE).maps[1]
    handle.remove()
    image, words, image_mask, token_mask = (one[0] for one in taken[0])
    inside = image[image_mask]
    weights = mean_weights(module.word_attention, module.words_to_shared(words), module.image_to_shared(inside))
    expected = weights[int(token_mask.sum()) - 1]
    assert int(image_mask.sum()) == 1 + 6 * 8
    assert found.share == pytest.approx(1 - float(expected[0]), rel=1e-4)
    assert np.allclose(at_centres(found.values), expected[1:].view(6, 8), rtol=1e-3)
