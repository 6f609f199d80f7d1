"""Convolutional nets of timm that are built in their own ways, and sizes that are none."""

import pytest
import torch

from mmris.models.encoders import TimmTower
from mmris.models.encoders.towers.timm_form import UnfitModelError
from tests.models.test_timm_tower import images


@pytest.mark.parametrize('name', ['resnet10t', 'dla46_c', 'hrnet_w18_small'])
def test_activations_of_nets_that_write_into_their_inputs_are_computed_again(name):
    """A stage that is an activation, one that lists layers, and stages that change a list."""
    found = []
    for activation_checkpointing in (False, True):
        torch.manual_seed(0)
        tower = TimmTower(model=name, joint_channels=8, activation_checkpointing=activation_checkpointing).train()
        features = tower.encode(tower.embed(images((64, 96))))
        sum(stage.square().mean() for stage in features.stages).backward()
        found.append({key: value.grad for key, value in tower.named_parameters() if value.grad is not None})
        found[-1].update(tower.named_buffers())
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        assert torch.allclose(value, found[1][key], rtol=1e-3, atol=1e-3 * value.abs().max()), key


def test_a_net_whose_stem_is_not_alone_in_reading_pixels_is_refused():
    with pytest.raises(UnfitModelError, match=r'repvgg_a0 .* be run on the cells of its stem stem.conv_kxk \('):
        TimmTower(model='repvgg_a0', joint_channels=8)


@pytest.mark.parametrize('size', ['96', (96, 64, 3), 0, 96.0])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match='image_size of TimmTower must be a number of pixels, or height and width'):
        TimmTower(model='test_vit', joint_channels=8, image_size=size)
