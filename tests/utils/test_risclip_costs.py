"""RISCLIP's parameters and multiply-adds, against its layers written out, and what is quoted beside them."""

from typing import Dict, List

import pytest

from mmris.utils.complexity import count_complexity
from tests.conftest import ROOT
from tests.utils.test_complexity import (
    Layer,
    attention,
    build,
    multiply_adds,
    read,
    run_tool,
    transformer_block,
    weights,
)

PATCHES, WORDS = 30 * 30, 17
IMAGE = PATCHES + 1
CLIP = 149_620_736


def costs_of(name: str) -> Dict[str, dict]:
    return count_complexity(build(read(f'configs/risclip/{name}.py').model), shape=(480, 480), tokens=WORDS)


def adapters(image: int, words: int) -> List[Layer]:
    """Of a block of each tower: two, down to half and up."""
    return 2 * [(image, 768, 384, 1), (image, 384, 768, 1), (words, 512, 256, 1), (words, 256, 512, 1)]


def exchange(image: int, words: int) -> List[Layer]:
    """CFE: to the shared width and back, and of each attention queries, keys and values, and output."""
    maps = [(image, 768, 512, 1), (words, 512, 512, 1), (image, 512, 768, 1), (words, 512, 512, 1)]
    return maps + cross(image, words) + cross(words, image)


def cross(queries: int, keys: int) -> List[Layer]:
    return [(queries, 512, 512, 1), (keys, 512, 1024, 1), (queries, 512, 512, 1)]


def refinement(tokens: int, others: int) -> List[Layer]:
    """A modality's half of SKE: both attentions and the MLP."""
    return cross(tokens, others) + cross(tokens, tokens) + [(tokens, 512, 2048, 1), (tokens, 2048, 512, 1)]


def decoder(cells: int) -> List[Layer]:
    """From 769 or 1536 channels to 768, twice at each of four grids."""
    layers = [(cells, 769, 768, 9), (cells, 768, 768, 9)]
    for doubled in (1, 2, 3):
        layers += [(4**doubled * cells, 1536, 768, 9), (4**doubled * cells, 768, 768, 9)]
    return layers


@pytest.fixture(scope='module')
def second() -> Dict[str, dict]:
    return costs_of('vit-b_refcoco_stage2')


def test_first_stage():
    costs = costs_of('vit-b_refcoco_stage1')
    small = weights(12 * (adapters(1, 1) + exchange(1, 1)), per_output=1)
    # And three LayerNorms.
    ske = 6 * (weights(2 * refinement(1, 1), per_output=1) + 2 * 3 * 2 * 512)
    assert costs['encoder']['params'] == CLIP + small + ske
    assert costs['encoder']['trained'] == small + ske
    # Scale and bias of the cosine.
    assert costs['head']['params'] == costs['head']['trained'] == 2


def test_operations_of_the_encoder(second):
    blocks = 11 * transformer_block(IMAGE, 768, 3072) + 12 * transformer_block(WORDS, 512, 2048)
    # In the last block patches take their values; the class token alone asks all.
    last = [(1, 768, 768, 1), (IMAGE, 768, 1536, 1), *attention(1, IMAGE, 768), (1, 768, 768, 1)]
    last += [(PATCHES, 768, 768, 1)] * 2 + [(IMAGE, 768, 3072, 1), (IMAGE, 3072, 768, 1)]
    meetings = 12 * (exchange(IMAGE, WORDS) + attention(IMAGE, WORDS, 512) + attention(WORDS, IMAGE, 512))
    refined = refinement(IMAGE, WORDS) + refinement(WORDS, IMAGE)
    refined += attention(IMAGE, WORDS, 512) + attention(WORDS, IMAGE, 512) + attention(IMAGE, IMAGE, 512)
    refined += attention(WORDS, WORDS, 512)
    layers = [(PATCHES, 3, 768, 256), *blocks, *last, *meetings, *(12 * adapters(IMAGE, WORDS)), *(6 * refined)]
    layers += [(IMAGE, 768, 512, 1), (WORDS, 512, 512, 1)]
    assert second['encoder']['flops'] == multiply_adds(layers)


def test_second_stage(second):
    assert second['encoder']['trained'] == 0
    # A bias, and scale and shift of the BatchNorm.
    assert second['decoder']['params'] == second['decoder']['trained'] == weights(decoder(1), per_output=3)
    assert second['decoder']['flops'] == multiply_adds(decoder(PATCHES))
    assert second['head']['flops'] == 64 * PATCHES * 768


def test_beside_what_is_quoted(second, capsys):
    """Operations within a hundredth of RISCLIP's, as Shared-RIS gives them; parameters not."""
    assert second['total']['flops'] == pytest.approx(1380e9, rel=0.01)
    assert second['total']['params'] == pytest.approx(320.0e6, rel=1e-3)
    run_tool(ROOT / 'configs/risclip/vit-b_refcoco_stage2.py')
    quoted = [cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].strip('|').split('|')]
    assert quoted == ['total, as quoted', '375.00', '', '1380.00']
