"""Checkpoints into models, and what errors say where they do not fit."""

import json

import open_clip
import pytest
import safetensors.torch
import torch

from mmris.checkpoints import load_model_weights
from mmris.registry import MODELS
from tests.checkpoints.published.clip_files import assert_same
from tests.conftest import tiny_config


class TestModel:

    @pytest.fixture
    def checkpoint(self, tiny_model) -> dict:
        return dict(state_dict=tiny_model.state_dict(), meta={})

    @staticmethod
    def model() -> torch.nn.Module:
        return MODELS.build(tiny_config('cm_masksd/ablations/shaperef_baseline.py').model)

    def test_what_was_kept_for_the_way_back(self, checkpoint, tmp_path):
        """Converted and published weights, in both formats."""
        state = {**checkpoint['state_dict'], 'excluded.logit_scale': torch.tensor(1.0)}
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
        with torch.device('meta'):
            resnet50 = open_clip.CustomTextCLIP(**open_clip.get_model_config('RN50')).visual.state_dict()
        state = {
            f'encoder.image.clip.{key}': torch.zeros(()).expand(value.shape)
            for key, value in resnet50.items()
        }
        torch.save(dict(state_dict=state), tmp_path / 'epoch.pth')
        message = r'Use the config that .* those of RN50 \(configs/cris/rn50_refcoco.py\)'
        with pytest.raises(RuntimeError, match=message):
            load_model_weights(self.model(), tmp_path / 'epoch.pth')
