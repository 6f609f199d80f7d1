"""Where MaIL looks: its weights written out, among instances, image and words."""

import numpy as np
import pytest
import torch

from mmris.apis.attention import AttentionPredictor
from tests.apis.test_attention import HEIGHT, SENTENCE, WIDTH, at_centres, build, photograph
from tests.conftest import tiny_config


@pytest.fixture(scope='module')
def predictor() -> AttentionPredictor:
    return build(tiny_config('mail/tiny_shaperef.py'))


def test_maps(predictor):
    assert [(one.part, one.name, one.kind) for one in predictor.look(SENTENCE).maps] == [
        ('encoder', f'block {number}', 'start token on patches') for number in (1, 2, 3, 4)
    ]


@torch.inference_mode()
@pytest.mark.parametrize('count', [0, 3])
def test_start_token(predictor, count):
    """Head after head, of the tokens that may be looked at: not the patches of the border, nor padded words."""
    block, taken = predictor.model.encoder.blocks[2], []
    handle = block.register_forward_pre_hook(lambda _, arguments, options: taken.append((*arguments, options)),
                                             with_kwargs=True)
    masks = np.random.default_rng(0).random((count, HEIGHT, WIDTH)) < 0.5
    predictor.set_image(photograph(), masks)
    found = predictor.look(SENTENCE).maps[2]
    handle.remove()
    tokens, options = taken[0]
    seen = options['attn_mask'][0, 0, 0]
    assert int(seen.sum()) == count + 1 + 6 * 8 + 5
    normed = block.norm1(tokens[0])
    query, key, _ = block.attn.qkv(normed).chunk(3, dim=1)
    heads = zip(query.chunk(4, dim=1), key.chunk(4, dim=1))
    start = count + 1 + 64
    rows = [(one[start] @ other[seen].T / one.size(1)**0.5).softmax(dim=0) for one, other in heads]
    expected = torch.stack(rows).mean(dim=0)[count + 1:-5]
    assert found.share == pytest.approx(float(expected.sum()), rel=1e-4)
    assert np.allclose(at_centres(found.values), expected.view(6, 8), rtol=1e-3)
