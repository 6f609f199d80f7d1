"""The image towers of SAM 1 and SAM 2: sizes, inputs, memory; what they compute stands in tests/parity."""

import pytest
import torch

from mmris.models.encoders.towers import SAM2Tower, SAMTower
from mmris.models.encoders.towers.sam import complete_architecture
from mmris.models.encoders.towers.sam2 import complete_sam2_architecture
from tests.models.joint_inputs import numbers_kept
from tests.models.toy_evf_sam import SAM2_TOWER
from tests.parity.test_segment_anything import TOWER


@pytest.mark.parametrize('name, millions', [('base', 89.67), ('large', 308.28), ('huge', 637.03)])
def test_published_sizes(name, millions):
    with torch.device('meta'):
        tower = SAMTower(architecture=name)
    assert sum(value.numel() for value in tower.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)


@pytest.mark.parametrize('name, millions', [('tiny', 38.9), ('small', 46), ('base_plus', 80.8), ('large', 224.4)])
def test_published_sizes_of_sam2(name, millions):
    """SAM 2's README counts prompt encoder, mask decoder and memory too, which are 11.67M at each size."""
    with torch.device('meta'):
        tower = SAM2Tower(architecture=name)
    assert sum(value.numel() for value in tower.parameters()) / 1e6 + 11.67 == pytest.approx(millions, abs=0.06)
    assert tower.stride == (32, 32) and tower.out_channels == (32, 64, 256)


def test_another_size_than_the_positions():
    torch.manual_seed(0)
    tower = SAMTower(architecture=TOWER).eval()
    found, = tower(torch.randn(1, 3, 32, 64))
    assert found.shape == (1, 24, 4, 8) and found.isfinite().all()


def test_another_size_of_sam2():
    torch.manual_seed(0)
    maps = SAM2Tower(architecture=SAM2_TOWER).eval()(torch.randn(1, 3, 32, 96))
    assert [tuple(one.shape) for one in maps] == [(1, 4, 8, 24), (1, 8, 4, 12), (1, 32, 2, 6)]
    assert all(one.isfinite().all() for one in maps)


@pytest.mark.parametrize('tower, size', [(SAMTower(architecture=TOWER), 48), (SAM2Tower(architecture=SAM2_TOWER), 64)],
                         ids=['SAM 1', 'SAM 2'])
def test_checkpointing_keeps_less_and_computes_the_same(tower, size):
    torch.manual_seed(0)
    pixels = torch.randn(1, 3, size, size)
    gradients, kept = [], []
    for checkpointing in (False, True):
        tower.zero_grad()
        tower.activation_checkpointing = checkpointing
        maps, numbers = numbers_kept(tower, pixels)
        sum(one.square().sum() for one in maps).backward()
        kept.append(numbers)
        gradients.append([value.grad.clone() for value in tower.parameters()])
    assert kept[1] < kept[0] / 2
    assert all(torch.equal(*pair) for pair in zip(*gradients))


@pytest.mark.parametrize('build, stride', [(lambda: SAMTower(architecture=TOWER), 8),
                                           (lambda: SAM2Tower(architecture=SAM2_TOWER), 32)], ids=['SAM 1', 'SAM 2'])
def test_sizes_that_are_no_multiples(build, stride):
    message = f'input is 40 x 44 pixels .height x width., but must be a multiple of {stride} x {stride}'
    with pytest.raises(ValueError, match=message):
        build()(torch.zeros(1, 3, 40, 44))


@pytest.mark.parametrize('wrong, message', [
    ('giant', "architecture 'giant' is no SAM. Known: base, large, huge, or a dict"),
    (dict(depth=3), 'architecture has entries that SAM has not: depth. It takes name, layers, channels'),
    (dict(layers=0), 'layers of the architecture must be a whole number of at least 1, but got 0'),
    (dict(global_layers=(0, 2)), r'global_layers of the architecture must be of whole numbers .* but got \(0, 2\)'),
    (dict(heads=5), 'channels of the architecture must be a multiple of heads, but got 768 and 5'),
    (dict(layers=3), r'global_layers of the architecture, counted from 1, are \(3, 6, 9, 12\), but it has 3 layers'),
])
def test_architectures_that_are_none(wrong, message):
    with pytest.raises(ValueError, match=message):
        complete_architecture(wrong)


@pytest.mark.parametrize('wrong, message', [
    ('huge', "architecture 'huge' is no SAM 2. Known: tiny, small, base_plus, large, or a dict"),
    (dict(window_size=8), 'architecture has entries that SAM 2 has not: window_size. It takes name, layers, channels'),
    (dict(layers=9), 'layers of the architecture must be of whole numbers of at least 1, but got 9'),
    (dict(layers=(1, 2, 0, 1)), r'layers of the architecture must be of whole numbers of at least 1, but got \(1, 2'),
    (dict(layers=(12, 12)), r'layers of the architecture must have a number for each of the 4 stages, but got \(12, 1'),
    (dict(window_sizes=(8, 4)), r'window_sizes of the architecture must have a number for each of the 4 stages, but'),
    (dict(window_sizes=(8, 5, 14, 7)), r'window_sizes of the architecture must be even .* but got \(8, 5, 14, 7\)'),
    (dict(heads=3), 'channels of the architecture must be a multiple of heads, but got 112 and 3'),
    (dict(layers=(1, 1, 1, 1)), r'global_layers .*, counted from 1, are \(13, 17, 21\), but it has 4 layers'),
    (dict(out_channels=20), 'out_channels of the architecture must be a multiple of 8, .* but got 20'),
])
def test_architectures_that_are_not_sam2s(wrong, message):
    with pytest.raises(ValueError, match=message):
        complete_sam2_architecture(wrong)


def test_inputs_are_multiples_of_a_window_of_the_first_stage():
    assert SAM2Tower(architecture=dict(SAM2_TOWER, window_sizes=(6, 4, 6, 3))).stride == (96, 96)
