"""Weights into modules, and what errors say where they do not fit."""

import copy
import json

import open_clip
import pytest
import safetensors.torch
import torch
from mmengine.config import Config

from mmris.checkpoints import load_model_weights, load_tower
from mmris.checkpoints.architectures import ARCHITECTURES, describe_architecture, find_architectures, measure_tower
from mmris.registry import MODELS
from tests.checkpoints.clip_files import RESNET, VIT, assert_same, open_clip_model
from tests.conftest import ROOT, tiny_config


def real_model(name: str) -> torch.nn.Module:
    """A model of open_clip at its real size, without content."""
    config = open_clip.get_model_config(name)
    config.pop('custom_text', None)
    with torch.device('meta'):
        return open_clip.CustomTextCLIP(**config)


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
        message = f'^clip.pt does not fit the .*of the config. The file.s shapes are {remedy}'
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
            'Missing: ln_pre.bias. Left over: more. Of another shape: conv1.weight (64, 3, 8, 8) in the file, '
            '(64, 3, 4, 4) in the model. Of another type: proj torch.int8, ln_post.weight NoneType.')
        assert_same(tower.state_dict(), before)

    def test_many(self):
        tower = open_clip_model().visual
        keys = list(tower.state_dict())
        message = f'Missing: {", ".join(keys[:10])} and {len(keys) - 10} more. Left over: none'
        with pytest.raises(RuntimeError, match=message):
            load_tower(tower, {}, 'clip.pt')


class TestModel:

    @pytest.fixture
    def checkpoint(self, tiny_model) -> dict:
        return dict(state_dict=tiny_model.state_dict(), meta={})

    @staticmethod
    def model() -> torch.nn.Module:
        return MODELS.build(tiny_config('cm_masksd/ablations/shaperef_baseline.py').model)

    def test_what_was_kept_for_the_way_back(self, checkpoint, tmp_path):
        """Converted and published weights, in both formats."""
        state = {**checkpoint['state_dict'], 'left_out.logit_scale': torch.tensor(1.0)}
        torch.save(state, tmp_path / 'plain.pth')
        safetensors.torch.save_file({key: value.clone()
                                     for key, value in state.items()}, tmp_path / 'safe.safetensors')
        for path in (tmp_path / 'plain.pth', tmp_path / 'safe.safetensors'):
            model = self.model()
            load_model_weights(model, path)
            assert_same(model.state_dict(), {key: state[key] for key in model.state_dict()})

    @pytest.mark.parametrize('meta, advice', [
        (dict(config='mmris::a/b.py'), 'It was trained with the config mmris::a/b.py: use that.'),
        (dict(experiment_name='vit-b_coco_20240131_235959'), 'It was trained with the config vit-b_coco: use that.'),
        (dict(experiment_name='mine'), 'Use the config that it was trained with.'),
        ({}, 'Use the config that it was trained with.'),
    ])
    def test_the_config_that_it_comes_from(self, checkpoint, tmp_path, meta, advice):
        checkpoint['meta'].update(meta)
        checkpoint['state_dict']['neck.aggregate.0.weight'] = torch.rand(7, 3, 1, 1)
        shape = tuple(self.model().state_dict()['neck.aggregate.0.weight'].shape)
        torch.save(checkpoint, tmp_path / 'epoch.pth')
        with pytest.raises(RuntimeError) as raised:
            load_model_weights(self.model(), tmp_path / 'epoch.pth')
        assert str(raised.value) == (
            f'{tmp_path / "epoch.pth"} does not fit the model of the config. Missing: none. Left over: none. Of '
            f'another shape: neck.aggregate.0.weight (7, 3, 1, 1) in the file, {shape} in the model. {advice}')

    def test_the_config_that_a_published_file_names(self, checkpoint, tmp_path):
        weights = {key: value.clone() for key, value in checkpoint['state_dict'].items() if 'head' not in key}
        safetensors.torch.save_file(weights, tmp_path / 'weights', metadata=dict(meta=json.dumps(dict(config='toy'))))
        with pytest.raises(RuntimeError, match='Missing: head.*It was trained with the config toy: use that'):
            load_model_weights(self.model(), tmp_path / 'weights')

    def test_the_encoder_tells_the_architecture(self, tmp_path):
        state = {
            f'encoder.image.clip.{key}': torch.zeros(()).expand(value.shape)
            for key, value in real_model('RN50').visual.state_dict().items()
        }
        torch.save(dict(state_dict=state), tmp_path / 'epoch.pth')
        message = r'Use the config that .* those of RN50 \(configs/cris/rn50_refcoco.py\)'
        with pytest.raises(RuntimeError, match=message):
            load_model_weights(self.model(), tmp_path / 'epoch.pth')
