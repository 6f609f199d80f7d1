"""What the configs of Shared-RIS cost, against the paper's arithmetic at 480 x 480 pixels and 20 tokens."""

from typing import Any, Dict

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
FOLDER = ROOT / 'configs/shared_ris'
# A linear map from the encoder's width to the decoder's, of class token, 30 x 30 patches and 20 tokens: what a model
# without FPN needs all the same. Millions of parameters, billions of multiply-adds.
MAP = ((768 + 1) * 512 / 1e6, (1 + 900 + 20) * 768 * 512 / 1e9)


def count(name: str, **neck: Any) -> Dict[str, tuple]:
    """Millions of parameters and billions of multiply-adds of each stage, with options of the neck changed."""
    init_default_scope('mmris')
    model = Config.fromfile(FOLDER / f'{name}.py').model
    model.neck.update(neck)
    with torch.device('meta'):
        costs = count_complexity(MODELS.build(model), shape=(480, 480), tokens=20)
    return {stage: (cost['params'] / 1e6, cost['flops'] / 1e9) for stage, cost in costs.items()}


def of_neck(name: str, **neck: Any) -> tuple:
    """A neck's, over those of none."""
    params, flops = count(name, **neck)['neck']
    return params - MAP[0], flops - MAP[1]


def of_decoder_and_head(name: str) -> tuple:
    costs = count(name)
    return tuple(map(sum, zip(costs['decoder'], costs['head'])))


def test_whole_models():
    base, large = count('beit3-b_refcoco'), count('beit3-l_refcoco')
    assert base['encoder'] == pytest.approx((221.53, 94.7), rel=0.01)
    assert base['total'] == pytest.approx((238.6, 154.5), rel=0.01)
    assert base['total'] == pytest.approx((239, 155), rel=0.01), 'the paper\'s'
    assert large['total'] == pytest.approx((691.5, 381), rel=0.01)


def test_no_fpn():
    """Table IV's first row, which the others are counted over."""
    params, flops = of_neck('ablations/no-fpn')
    assert params == pytest.approx(0, abs=1e-9) and flops == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize('name, millions, as_printed, billions, paper', [
    ('beit3-b_refcoco', 8.01, 6.44, 9.4, (8, 9)),
    ('ablations/fpn_stages-4-8-12', 5.91, 4.73, 7.0, (6, 7)),
    ('ablations/fpn_stages-6-12', 3.81, 3.03, 4.5, (4, 5)),
])
def test_fpn(name, millions, as_printed, billions, paper):
    """Table VII a; with one projection for both modalities, eq. 6 as printed."""
    found = of_neck(name)
    assert found == pytest.approx((millions, billions), rel=0.01)
    assert tuple(map(round, found)) == paper
    assert of_neck(name, shared_projections=True) == pytest.approx((as_printed, billions), rel=0.01)


@pytest.mark.parametrize('name, millions, billions', [
    ('ablations/fpn_cross-attention', 8.0, 4.1),
    ('ablations/fpn_bidirectional', 37.4, 22.0),
    ('ablations/fpn_pwam', 14.0, 8.6),
    ('ablations/fpn_cris', 22.63, 19.64),
])
def test_other_necks(name, millions, billions):
    """Tables IV and VII b, as the modules and configs/shared_ris/README.md have them."""
    assert of_neck(name) == pytest.approx((millions, billions), abs=0.05)


@pytest.mark.parametrize('name', ['ablations/fpn_cris', 'ablations/fpn_pwam'])
def test_words_that_a_neck_leaves_wide(name):
    """The decoder has a map for them; class tokens take no part."""
    mine, base = of_decoder_and_head(name), of_decoder_and_head('beit3-b_refcoco')
    assert mine[0] - base[0] == pytest.approx((768 + 1) * 512 / 1e6)
    # A token less: in its four maps and the MLP, as one that looks and one that is looked at.
    token = (4 + 8) * 512**2 + 2 * (2 * 920 + 1) * 512
    assert mine[1] - base[1] == pytest.approx((20 * 768 * 512 - token) / 1e9, rel=1e-6)


@pytest.mark.parametrize('name, millions, billions, paper', [
    ('ablations/no-decoder-layer', 5.51, 46.3, 46),
    ('beit3-b_refcoco', 8.66, 50.1, 50),
    ('ablations/decoder_layers-2', 11.81, 53.9, 54),
    ('ablations/decoder_layers-3', 14.97, 57.6, 58),
])
def test_decoder_and_head(name, millions, billions, paper):
    """Table VIII a."""
    params, flops = of_decoder_and_head(name)
    assert (params, flops) == pytest.approx((millions, billions), rel=0.01)
    assert round(flops) == paper


@pytest.mark.parametrize('name, millions, billions', [
    ('ablations/decoder_cross-attention', 8.7, 48.6),
    ('ablations/decoder_bidirectional', 13.9, 51.2),
])
def test_other_decoders(name, millions, billions):
    """Table VIII b, as the module documents it."""
    assert of_decoder_and_head(name) == pytest.approx((millions, billions), abs=0.05)
