"""LAVT's parameters and multiply-adds, against those counted from the published modules."""

from typing import Dict, List

import pytest
from mmengine.registry import init_default_scope

from mmris.utils.complexity import count_complexity
from tests.utils.test_complexity import Layer, build, multiply_adds, read, transformer_block, weights

WORDS, WIDTHS, DEPTHS, SIDES = 20, (128, 256, 512, 1024), (2, 2, 18, 2), (120, 60, 30, 15)
WINDOW = 12


@pytest.fixture(scope='module')
def costs() -> Dict[str, dict]:
    init_default_scope('mmris')
    return count_complexity(build(read('configs/lavt/swin-b_refcoco.py').model), shape=(480, 480), tokens=WORDS)


def swin_block(stage: int) -> List[Layer]:
    """Attention on whole windows, linear maps of the MLP on the map itself."""
    width, side = WIDTHS[stage], SIDES[stage]
    padded, cells = (-(-side // WINDOW) * WINDOW)**2, side**2
    return [(padded, width, 3 * width, 1), *2 * [(padded, width, WINDOW**2, 1)], (padded, width, width, 1),
            (cells, width, 4 * width, 1), (cells, 4 * width, width, 1)]


def pixel_maps(stage: int) -> List[Layer]:
    """What an attention computes of pixels alone."""
    return 2 * [(SIDES[stage]**2, WIDTHS[stage], WIDTHS[stage], 1)]


def test_as_published(costs):
    """Without the gate behind the last stage, which feeds nothing: 227.74M - 2.10M, 198.99G - 0.47G."""
    assert costs['total']['params'] / 1e6 == pytest.approx(225.64, abs=0.01)
    assert costs['total']['flops'] / 1e9 == pytest.approx(198.52, abs=0.01)
    found = {name: (costs[name]['params'] / 1e6, costs[name]['flops'] / 1e9) for name in ('decoder', 'head')}
    assert found['decoder'] == (pytest.approx(20.65, abs=0.01), pytest.approx(106.17, abs=0.01))
    assert costs['head']['params'] == 2 * 513


def test_what_runs_once_an_image(costs):
    """Patches and the first stage; counted by rows, also the two maps of its pixels that the first attention takes."""
    first = [(120 * 120, 3 * 4 * 4, 128, 1), *2 * swin_block(0)]
    assert costs['encoder']['image']['flops'] == multiply_adds(first)
    assert costs['total']['image']['flops'] == multiply_adds(first + pixel_maps(0))


def test_bert(costs):
    assert costs['encoder']['text']['flops'] == multiply_adds(12 * transformer_block(WORDS, 768, 3072))


def test_what_runs_for_each_sentence(costs):
    """Written out: the other stages, merging before each, attentions, and gates behind all stages but the last."""
    # Last, the mean of the patches.
    layers: List[Layer] = [(SIDES[-1]**2, WIDTHS[-1], 1, 1)]
    for stage, (width, depth, side) in enumerate(zip(WIDTHS, DEPTHS, SIDES)):
        cells = side**2
        words = [(WORDS, 768, 2 * width, 1)]
        layers += pixel_maps(stage) + words + 2 * [(cells, width, WORDS, 1)] + 2 * [(cells, width, width, 1)]
        if stage:
            layers += depth * swin_block(stage)
        if stage < 3:
            layers += 2 * [(cells, width, width, 1)] + [(cells // 4, 4 * width, 2 * width, 1)]
    assert costs['encoder']['join']['flops'] == multiply_adds(layers)


def test_decoder(costs):
    layers = []
    for stage, deeper in ((2, 1024), (1, 512), (0, 512)):
        cells = SIDES[stage]**2
        layers += [(cells, deeper + WIDTHS[stage], 512, 9), (cells, 512, 512, 9)]
    assert costs['decoder']['flops'] == multiply_adds(layers)
    assert costs['decoder']['params'] == weights(layers, per_output=2)
