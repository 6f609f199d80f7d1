"""What the configs of Shared-RIS cost, against the paper's arithmetic at 480 x 480 pixels and 20 tokens."""

from typing import Dict

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from tests.conftest import ROOT

FOLDER = ROOT / 'configs/shared_ris'


def count(name: str) -> Dict[str, dict]:
    """Millions of parameters and billions of multiply-adds of each stage."""
    init_default_scope('mmris')
    model = Config.fromfile(FOLDER / f'{name}.py').model
    # The table counts positions of the input's own grid.
    model.encoder.architecture = {'base': dict(image_size=480), 'large': 'large'}[model.encoder.architecture]
    with torch.device('meta'):
        costs = count_complexity(MODELS.build(model), shape=(480, 480), tokens=20)
    return {stage: (cost['params'] / 1e6, cost['flops'] / 1e9) for stage, cost in costs.items()}


@pytest.fixture(scope='module')
def base() -> Dict[str, tuple]:
    return count('beit3-b_refcoco')


def within(found: tuple, params: float, flops: float) -> None:
    assert found[0] == pytest.approx(params, rel=0.01) and found[1] == pytest.approx(flops, rel=0.01), found


def test_whole_models(base):
    within(base['encoder'], 221.53, 94.7)
    within(base['total'], 238.6, 154.5)
    within(base['total'], 239, 155)
    within(count('beit3-l_refcoco')['total'], 691.5, 381)


def test_fpn(base):
    """Over what a model without FPN needs."""
    without = count('ablations/no-fpn')['neck'][1]
    rows = {
        'beit3-b_refcoco': (8.41, 9.4),
        'ablations/fpn_stages-4-8-12': (6.30, 7.0),
        'ablations/fpn_stages-6-12': (4.20, 4.5)
    }
    for name, row in rows.items():
        params, flops = base['neck'] if name == 'beit3-b_refcoco' else count(name)['neck']
        within((params, flops - without), *row)


@pytest.mark.parametrize('name, params, flops', [
    ('ablations/no-decoder-layer', 5.51, 46.3),
    ('beit3-b_refcoco', 8.66, 50.1),
    ('ablations/decoder_layers-2', 11.81, 53.9),
    ('ablations/decoder_layers-3', 14.97, 57.6),
])
def test_decoder_and_head(name, params, flops):
    costs = count(name)
    within(tuple(map(sum, zip(costs['decoder'], costs['head']))), params, flops)
