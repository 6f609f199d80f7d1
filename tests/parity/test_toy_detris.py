"""The layout that toy weights of DETRIS have, at full size: parameters against the method's table."""

import pytest
import torch

from tests.parity.toy_detris import Sizes, Weights, add_everything, released, toy_state


class Shapes(Weights):
    """Counts numbers instead of drawing them."""

    def normal(self, name: str, *shape: int, deviation: float = 0.5) -> None:
        self.state[name] = torch.empty(shape, device='meta')

    def uniform(self, name: str, count: int, low: float) -> None:
        self.state[name] = torch.empty(count, device='meta')


BASE = Sizes(
    image_width=768, image_depth=12, image_adapters=(2, 4, 6, 8, 10, 12), image_adapter_width=128, grid=37,
    text_width=512, text_depth=12, text_adapters=(2, 4, 6, 8, 10, 12), text_adapter_width=64, vocabulary=49408,
    context=77, cross_width=128, sentence=512, decoder_depth=3, feedforward=512)
LARGE = BASE._replace(image_width=1024, image_depth=24, image_adapters=(3, 7, 11, 15, 19, 23))
THREE_SETS = LARGE._replace(
    image_adapters=tuple(range(2, 25)),
    image_adapter_width=384,
    text_adapters=tuple(range(2, 13)),
    text_adapter_width=384)
#: Millions that all models have.
COUNTS = dict(txt_backbone=63.43, decoder=7.90, proj=4.79)


def counted(sizes: Sizes) -> dict:
    """Parameters of each part, adapters apart."""
    shapes, counts = Shapes(0), {}
    add_everything(shapes, sizes)
    for name, value in shapes.state.items():
        if 'running_' in name or 'num_batches' in name:
            continue
        place = name.partition('.')[0]
        if '.adapter.' in name:
            place = 'image_adapters' if place == 'dinov2' else 'text_adapters'
        counts[place] = counts.get(place, 0) + value.numel()
    return counts


@pytest.mark.parametrize('sizes, image, neck, image_adapters, text_adapters', [
    pytest.param(BASE, 86.58, 10.11, 2.30, 0.42, id='base'),
    pytest.param(LARGE, 304.37, 10.51, 2.69, 0.42, id='large'),
])
def test_published_counts(sizes, image, neck, image_adapters, text_adapters):
    """Millions of parameters, by the method's table."""
    counts = counted(sizes)
    expected = dict(COUNTS, dinov2=image, neck=neck, image_adapters=image_adapters, text_adapters=text_adapters)
    assert {name: round(count / 1e6, 2) for name, count in counts.items()} == expected


def test_published_counts_of_three_sets():
    counts = counted(THREE_SETS)
    assert round(sum(counts.values()) / 1e6, 2) == 424.33
    assert round((counts['image_adapters'] + counts['text_adapters']) / 1e6, 2) == 33.33


def test_released():
    stored = released(toy_state(dtype=torch.float32))
    assert all(name.startswith('module.') for name in stored['state_dict'])
    assert stored['state_dict']['module.neck.f5_proj.0.weight'].shape == (24, 16, 1, 1)
