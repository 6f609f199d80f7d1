"""CLIP's image tower as a backbone, against the encoder's."""

import open_clip
import pytest
import torch

from mmris.models.encoders import CLIPBackbone, CLIPEncoder
from mmris.structures import ImageInputs

ARCHITECTURE = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, patch_size=16, width=32, head_width=16, layers=3),
    text_cfg=dict(context_length=12, vocab_size=64, width=40, heads=2, layers=2))


@pytest.mark.parametrize('size', [(64, 64), (48, 80)])
def test_the_same_stages_as_the_encoder(size):
    torch.manual_seed(0)
    encoder = CLIPEncoder(architecture=ARCHITECTURE, taps=(1, 3)).eval()
    backbone = CLIPBackbone(architecture=ARCHITECTURE, taps=(1, 3)).eval()
    backbone.image.load_state_dict(encoder.image.state_dict())
    pixels = torch.randn(2, 3, *size)
    box = torch.tensor([[0.0, 0.0, size[1], size[0]]]).expand(2, -1)
    expected = encoder.encode_image(encoder.embed_image(ImageInputs(pixels, box))).stages
    stages = backbone(pixels)
    assert [stage.shape[1:] for stage in stages] == [(width, size[0] // 16, size[1] // 16) for width in (32, 24)]
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(stages, expected))


@pytest.mark.parametrize('checkpointing', [False, True])
def test_every_parameter_gets_a_gradient(checkpointing):
    torch.manual_seed(0)
    backbone = CLIPBackbone(architecture=ARCHITECTURE, activation_checkpointing=checkpointing)
    assert all(name.startswith('image.') for name, _ in backbone.named_parameters()), 'the text tower is left out'
    sum(stage.square().mean() for stage in backbone(torch.randn(2, 3, 64, 64))).backward()
    still = [name for name, value in backbone.named_parameters() if value.grad is None or not value.grad.any()]
    assert not still, still


def test_weights_from_a_file(tmp_path):
    clip = open_clip.model.CustomTextCLIP(**ARCHITECTURE)
    torch.save(dict(state_dict=clip.state_dict()), tmp_path / 'clip.pt')
    backbone = CLIPBackbone(architecture=ARCHITECTURE, pretrained=str(tmp_path / 'clip.pt'), quick_gelu=False)
    assert not torch.equal(backbone.image.clip.conv1.weight, clip.visual.conv1.weight)
    backbone.init_weights()
    wanted = clip.visual.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in backbone.image.clip.state_dict().items())


def test_errors():
    with pytest.raises(ValueError, match="architecture 'ViT-Z' is no open_clip model"):
        CLIPBackbone(architecture='ViT-Z')
    architecture = dict(ARCHITECTURE, vision_cfg=dict(ARCHITECTURE['vision_cfg'], pool_type='avg'))
    with pytest.raises(ValueError, match='image tower .* is neither a plain ViT .* nor a ResNet'):
        CLIPBackbone(architecture=architecture)
    with pytest.raises(ValueError, match='input is 60 x 64 pixels .* multiple of 16 x 16'):
        CLIPBackbone(architecture=ARCHITECTURE)(torch.zeros(1, 3, 60, 64))
