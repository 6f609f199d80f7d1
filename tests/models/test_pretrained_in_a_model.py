"""Weights of others in a whole model, as a training initialises it."""

import pytest
import torch
from mmengine.config import Config

from mmris.models.encoders import CLIPEncoder
from mmris.registry import MODELS
from tests.conftest import ROOT
from tests.test_configs import batch_of, shrink


@pytest.mark.parametrize('name', ['cm_masksd/vit-b_refcoco', 'cris/rn50_refcoco', 'cm_masksd/swin-b_refcoco'])
def test_a_model_initialises_its_encoder(tmp_path, name):
    config = shrink(Config.fromfile(ROOT / f'configs/{name}.py'))
    torch.manual_seed(1)
    trained = CLIPEncoder(architecture=config.model.encoder.architecture, quick_gelu=True)
    state = {f'encoder.{key}': value for key, value in trained.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'clip.pth')
    config.model.encoder.pretrained = str(tmp_path / 'clip.pth')
    model = MODELS.build(config.model)
    model.init_weights()
    found = model.encoder.text.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in trained.text.state_dict().items())
    assert model.encoder.text.activation.quick


def test_branches_train_alike_with_activation_checkpointing(refer_set):
    """On a ResNet, whose BatchNorms a replay must not count, computed again or not."""
    found = []
    for activation_checkpointing in (False, True):
        torch.manual_seed(0)
        config = shrink(Config.fromfile(ROOT / 'configs/cm_masksd/rn101_refcoco.py'))
        config.model.encoder.activation_checkpointing = activation_checkpointing
        config.model.decoder.dropout = 0.0
        model = MODELS.build(config.model).train()
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        torch.manual_seed(2)
        model.parse_losses(model(**batch, mode='loss'))[0].backward()
        found.append(({key: value.grad for key, value in model.named_parameters()}, dict(model.named_buffers())))
    for one, other in zip(*found):
        for key, value in one.items():
            assert torch.allclose(value, other[key], atol=1e-6), key
