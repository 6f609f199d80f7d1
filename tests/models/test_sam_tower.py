"""SAM's image tower: sizes, inputs, memory; what it computes stands in tests/parity."""

import pytest
import torch

from mmris.models.encoders.towers import SAMTower
from mmris.models.encoders.towers.sam import complete_architecture
from tests.models.joint_inputs import numbers_kept
from tests.parity.test_segment_anything import TOWER


@pytest.mark.parametrize('name, millions', [('base', 89.67), ('large', 308.28), ('huge', 637.03)])
def test_published_sizes(name, millions):
    with torch.device('meta'):
        tower = SAMTower(architecture=name)
    assert sum(value.numel() for value in tower.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)


def test_another_size_than_the_positions():
    torch.manual_seed(0)
    tower = SAMTower(architecture=TOWER).eval()
    found, = tower(torch.randn(1, 3, 32, 64))
    assert found.shape == (1, 24, 4, 8) and found.isfinite().all()


def test_checkpointing_keeps_less_and_computes_the_same():
    torch.manual_seed(0)
    tower, pixels = SAMTower(architecture=TOWER), torch.randn(1, 3, 48, 48)
    gradients, kept = [], []
    for checkpointing in (False, True):
        tower.zero_grad()
        tower.activation_checkpointing = checkpointing
        (found, ), numbers = numbers_kept(tower, pixels)
        found.square().sum().backward()
        kept.append(numbers)
        gradients.append([value.grad.clone() for value in tower.parameters()])
    assert kept[1] < kept[0] / 2
    assert all(torch.equal(*pair) for pair in zip(*gradients))


def test_sizes_that_are_no_multiples():
    with pytest.raises(ValueError, match='input is 40 x 44 pixels .height x width., but must be a multiple of 8 x 8'):
        SAMTower(architecture=TOWER)(torch.zeros(1, 3, 40, 44))


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
