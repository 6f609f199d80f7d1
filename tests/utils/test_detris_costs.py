"""DETRIS's parameters and multiply-adds, against those counted from the published modules."""

from typing import Dict

import pytest

from mmris.utils.complexity import count_complexity
from tests.utils.test_complexity import build, multiply_adds, read, transformer_block, weights

PATCHES, OTHERS, WORDS = 32 * 32, 5, 17
TOKENS = PATCHES + OTHERS
# Millions of parameters, and of trained ones, and billions of multiply-adds. Published: 175.53, 25.52 and 158.12 of
# base, which has 1.58 and 1.61 of queries and keys in its neck that decide nothing, as the others have.
WHOLE = {
    'vit-b_refcoco': (173.95, 23.94, 156.51),
    'vit-l_refcoco': (392.53, 24.73, 413.35),
    'vit-l_refcoco_mixed': (424.33 - 1.58, 54.95, 439.0 - 1.61),
}
ADAPTERS = {
    'vit-b_refcoco': (2.30 + 0.42, 107.38 + 1.78 + 0.65),
    'vit-l_refcoco': (2.69 + 0.42, 363.41 + 2.18 + 0.65),
    'vit-l_refcoco_mixed': (33.33, None),
}


def costs_of(name: str) -> Dict[str, dict]:
    return count_complexity(build(read(f'configs/detris/{name}.py').model), shape=(448, 448), tokens=WORDS)


@pytest.fixture(scope='module')
def base() -> Dict[str, dict]:
    return costs_of('vit-b_refcoco')


# The smallest stands for all in `make test`.
@pytest.mark.parametrize('name', [
    pytest.param(name, marks=() if name == 'vit-b_refcoco' else pytest.mark.slow) for name in WHOLE])
def test_as_published(name):
    costs, (params, trained, flops) = costs_of(name), WHOLE[name]
    assert costs['total']['params'] / 1e6 == pytest.approx(params, abs=0.01)
    assert costs['total']['trained'] / 1e6 == pytest.approx(trained, abs=0.01)
    assert costs['total']['flops'] / 1e9 == pytest.approx(flops, rel=0.0005)
    adapters, encoder = ADAPTERS[name]
    assert costs['encoder']['trained'] / 1e6 == pytest.approx(adapters, abs=0.01)
    if encoder is not None:
        assert costs['encoder']['flops'] / 1e9 == pytest.approx(encoder, abs=0.02)


def test_stages(base):
    found = {name: (costs['params'] / 1e6, costs['flops'] / 1e9) for name, costs in base.items()}
    for name, params, flops in (('neck', 8.54, 6.86), ('decoder', 7.90, 9.74), ('head', 4.79, 30.10)):
        assert found[name] == (pytest.approx(params, abs=0.01), pytest.approx(flops, abs=0.01)), name


def test_what_runs_once_an_image(base):
    """The first block, and of the second all but its adapter."""
    layers = [(PATCHES, 3, 768, 14 * 14), *(2 * transformer_block(TOKENS, 768, 3072))]
    assert base['encoder']['image']['flops'] == multiply_adds(layers)


def test_an_image_adapter(base):
    """Written out: to 128 channels and back, convolutions on patches alone, the attention 128 wide."""
    dense = [(PATCHES, 128, 64, 1), (PATCHES, 192, 8, 1), (PATCHES, 8, 32, 9), (PATCHES, 224, 8, 1),
             (PATCHES, 8, 32, 25)]
    maps = [(TOKENS, 768, 128, 1), (TOKENS, 128, 768, 1), (PATCHES, 128, 128, 1), (WORDS, 512, 128, 1),
            (PATCHES, 128, 128, 1)]
    attention = [(PATCHES, 128, 128, 1), (WORDS, 128, 256, 1), (PATCHES, 128, 128, 1)]
    products = [(PATCHES, 128, WORDS, 1), (PATCHES, WORDS, 128, 1)]
    blocks = 10 * transformer_block(TOKENS, 768, 3072)
    layers = blocks + 6 * (dense + maps + attention + products)
    assert base['encoder']['join']['flops'] == multiply_adds(layers)
    text = [(WORDS, 512, 64, 1), (WORDS, 64, 512, 1)]
    words = [(WORDS - 1, *rest) for _, *rest in ((0, 64, 32, 1), (0, 96, 4, 1), (0, 4, 16, 3), (0, 112, 4, 1),
                                                (0, 4, 16, 5))]
    # Biases of all, and a BatchNorm behind each convolution.
    of_images = weights(maps + attention, per_output=1) + weights(dense, per_output=3)
    of_texts = weights(text, per_output=1) + weights(words, per_output=3)
    assert base['encoder']['trained'] == 6 * (of_images + of_texts)
