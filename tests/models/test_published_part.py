"""Stages that take a part of SAM's published weights: the tower, the mask decoder, and the vector of no mask."""

import re

import pytest
import torch
from mmengine.config import Config

from mmris.checkpoints.runs import find_uninitialized_frozen, pretrained_parts
from mmris.registry import MODELS
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.evf_sam_files import released, toy_config


@pytest.fixture(scope='module', params=['evf-sam', 'evf-sam2'])
def config(request, tmp_path_factory) -> Config:
    return toy_config(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope='module')
def weights(config) -> dict:
    """EVF-SAM's, of float32."""
    return {key: value.float() for key, value in released(config).items()}


def with_pretrained(config: Config, path: object) -> torch.nn.Module:
    model = Config(config.to_dict()).model
    for part in (model.encoder.segmenter, model.neck, model.head):
        part.pretrained = str(path)
    model.frozen = ['encoder.segmenter', 'head', 'neck.no_mask']
    torch.manual_seed(1)
    return MODELS.build(model)


def sam_alone(weights: dict) -> dict:
    return {key.removeprefix('visual_model.'): one for key, one in weights.items() if key.startswith('visual_model.')}


@pytest.fixture
def files(config, weights, tmp_path, monkeypatch, capsys) -> dict:
    """SAM as it is published and as it is converted, and inside of EVF-SAM."""
    torch.save(sam_alone(weights), tmp_path / 'sam.pth')
    torch.save(dict(model=sam_alone(weights)), tmp_path / 'in_an_entry.pt')
    torch.save(weights, tmp_path / 'pytorch_model.bin')
    converter(monkeypatch, capsys, 'sam')(tmp_path / 'sam.pth', tmp_path / 'ours.safetensors')
    return {path.name: path for path in tmp_path.iterdir()}


def values(weights: dict) -> list:
    """Numbers that tell the parts of SAM, by the keys of either."""
    keys = (r'(trunk\.|image_encoder\.)pos_embed$', r'mask_tokens\.weight$', r'gaussian_matrix$', r'no_mask_embed')
    return [float(one.sum()) for key in keys for name, one in weights.items() if re.search(key, name)]


@pytest.mark.parametrize('name', ['sam.pth', 'in_an_entry.pt', 'pytorch_model.bin', 'ours.safetensors'])
def test_every_form_fills_them(config, weights, files, name):
    model = with_pretrained(config, files[name])
    assert len(find_uninitialized_frozen(model)) == 0
    model.init_weights()
    tower = model.encoder.segmenter
    positions = (tower.hiera if hasattr(tower, 'hiera') else tower.vit).pos_embed
    found = [positions, model.head.mask_tokens, model.head.positions.directions, model.neck.no_mask]
    assert [float(one.sum()) for one in found] == pytest.approx(values(weights), rel=1e-5)
    # Nothing but the projector and BEiT-3 is as it began.
    filled = pretrained_parts(model)
    others = [key for key in model.state_dict() if not key.startswith(tuple(f'{one}' for one in filled))]
    assert all(key.startswith(('neck.projection.', 'encoder.joint.')) for key in others)


def test_without_one_of_them(config, files):
    model = Config(config.to_dict()).model
    model.encoder.segmenter.pretrained = str(files['sam.pth'])
    model.frozen = ['encoder.segmenter', 'neck.no_mask']
    assert find_uninitialized_frozen(MODELS.build(model)) == ['neck.no_mask']


def test_another_size(config, files):
    """The message says of which size the file is."""
    model = Config(config.to_dict()).model
    changes = dict(channels=16) if model.encoder.segmenter.type == 'SAM2Tower' else dict(layers=3)
    model.encoder.segmenter.architecture.update(changes)
    model.encoder.segmenter.pretrained = str(files['sam.pth'])
    kind = 'SAM 2, of no published size: layers 5, channels 8' if 'channels' in changes else (
        'SAM, of no published size: layers 2, channels 32')
    with pytest.raises(RuntimeError, match=f'sam.pth does not fit the SAM of the config. It is of {kind}. '):
        MODELS.build(model).init_weights()


def test_no_file(config, tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no checkpoint .*sam.pth.* docs/pretrained.md says where SAM'):
        with_pretrained(config, tmp_path / 'sam.pth').init_weights()


def test_another_model(config, tmp_path):
    torch.save({'backbone.weight': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth cannot be read as a checkpoint: it holds no SAM weights by '):
        with_pretrained(config, tmp_path / 'other.pth').init_weights()
