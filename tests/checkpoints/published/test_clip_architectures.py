"""Which CLIP weights are of, by their shapes, and what errors say where they do not fit an encoder."""

import copy

import open_clip
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmris.checkpoints import load_published
from mmris.checkpoints.published import CLIP, PublishedWeights
from mmris.checkpoints.published.clip_architectures import (
    ARCHITECTURES,
    IMAGE,
    describe_architecture,
    find_architectures,
    measure_tower,
)
from tests.checkpoints.published.clip_files import RESNET, VIT, assert_same, open_clip_model
from tests.conftest import ROOT


def real_model(name: str) -> torch.nn.Module:
    """A model of open_clip at its real size, without content."""
    config = open_clip.get_model_config(name)
    config.pop('custom_text', None)
    with torch.device('meta'):
        return open_clip.CustomTextCLIP(**config)


def holder(tower: nn.Module) -> nn.Module:
    """An encoder of the image tower alone."""
    return nn.ModuleDict(dict(image=nn.ModuleDict(dict(clip=tower))))


def load_tower(tower: nn.Module, state: dict, source: str) -> None:
    weights = PublishedWeights({f'{IMAGE}{key}': value for key, value in state.items()}, {}, source)
    load_published(holder(tower), CLIP, weights)


class TestArchitectures:

    @pytest.mark.parametrize('name', ARCHITECTURES)
    def test_recognised_by_its_shapes(self, name):
        model = real_model(name)
        assert find_architectures(model.visual.state_dict()) == [name]
        assert name in find_architectures(model.text.state_dict())

    @pytest.mark.parametrize('name, remedy', [
        ('ViT-B-32', r"those of ViT-B-32 \(set encoder.architecture='ViT-B-32'\)\."),
        ('ViT-B-16', r'those of ViT-B-16 \(configs/cm_masksd/vit-b_refcoco.py\)\.'),
        ('ViT-L-14', r'those of ViT-L-14 \(configs/cm_masksd/vit-l_refcoco.py\)\.'),
        ('ViT-L-14-336', r"those of ViT-L-14-336 \(set encoder.architecture='ViT-L-14-336'\)\."),
        ('RN50', r'those of RN50 \(configs/cris/rn50_refcoco.py\)\.'),
        ('RN101', r'those of RN101 \(configs/cris/rn101_refcoco.py\)\.'),
    ])
    def test_the_config_that_uses_it(self, name, remedy):
        other = real_model('RN50' if name.startswith('ViT') else 'ViT-B-16')
        message = f'^clip.pt does not fit the CLIP of the config. The file.s shapes are {remedy}'
        with pytest.raises(RuntimeError, match=message):
            load_tower(other.visual, real_model(name).visual.state_dict(), 'clip.pt')

    def test_configs_that_are_named_are_there_and_use_it(self):
        for name in ('ViT-B-16', 'ViT-L-14', 'RN50', 'RN101'):
            described = describe_architecture(real_model(name).visual.state_dict())
            path = described.partition('(')[2].partition(')')[0]
            assert Config.fromfile(ROOT / path).model.encoder.architecture == name

    def test_text_towers_are_alike(self):
        described = describe_architecture(real_model('RN101').text.state_dict())
        assert described.startswith("The file's shapes are those of ViT-B-32 (set encoder.architecture='ViT-B-32') or ")
        assert 'RN101 (configs/cris/rn101_refcoco.py)' in described and 'RN50' not in described

    @pytest.mark.parametrize('architecture, layers', [(VIT, 'layers 3'), (RESNET, r'layers \[1, 2, 1, 1\]')])
    def test_unknown(self, architecture, layers):
        tower = open_clip_model(architecture).visual
        size = architecture['vision_cfg']['image_size']
        message = f'embed_dim 24, width .*{layers}, image_size {size}.* are those of none of'
        with pytest.raises(RuntimeError, match=message):
            load_tower(real_model('RN50').visual, tower.state_dict(), 'clip.pt')

    def test_measures_of_what_is_no_tower(self):
        assert measure_tower({}) is None
        assert measure_tower({'token_embedding.weight': torch.rand(3, 2), 'text_projection': torch.rand(2)}) is None


class TestTower:

    @pytest.mark.parametrize('architecture', [VIT, RESNET], ids=['ViT', 'ResNet'])
    @pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
    def test_loads(self, architecture, dtype):
        state = {
            key: value.to(dtype) if value.is_floating_point() else value
            for key, value in open_clip_model(architecture).visual.state_dict().items()
        }
        tower = open_clip.CustomTextCLIP(**copy.deepcopy(architecture)).visual
        load_tower(tower, state, 'clip.pt')
        assert_same({key: value.float() for key, value in state.items()},
                    {key: value.float() for key, value in tower.state_dict().items()})
        assert tower.state_dict()['conv1.weight'].dtype == torch.float32

    def test_what_does_not_fit(self):
        tower = open_clip_model().visual
        before = copy.deepcopy(tower.state_dict())
        state = dict(before, more=torch.rand(1))
        del state['ln_pre.bias']
        state['conv1.weight'] = torch.rand(64, 3, 8, 8)
        state['proj'] = torch.ones(64, 24, dtype=torch.int8)
        state['ln_post.weight'] = None
        with pytest.raises(RuntimeError) as raised:
            load_tower(tower, state, 'clip.pt')
        assert str(raised.value).endswith(
            'Missing: image.clip.ln_pre.bias. Left over: image.clip.more. Of another shape: image.clip.conv1.weight '
            '(64, 3, 8, 8) in the file, (64, 3, 4, 4) in the model. Of another type: image.clip.proj torch.int8, '
            'image.clip.ln_post.weight NoneType.')
        assert_same(tower.state_dict(), before)

    def test_many(self):
        tower = open_clip_model().visual
        keys = [f'{IMAGE}{key}' for key in tower.state_dict()]
        message = f'Missing: {", ".join(keys[:10])} and {len(keys) - 10} more. Left over: none'
        with pytest.raises(RuntimeError, match=message):
            load_tower(tower, {}, 'clip.pt')
