"""CLIP's towers against open_clip's own forward passes, on the same random weights."""

import open_clip
import pytest
import torch
import torch.nn.functional as F

from mmris.models.encoders import CLIPEncoder
from mmris.structures import ExpressionBatch, ImageInputs
from tests.conftest import assert_close

TEXT = dict(context_length=12, vocab_size=512, width=40, heads=2, layers=2)
ARCHITECTURES = dict(
    vit=dict(
        embed_dim=24, vision_cfg=dict(image_size=224, patch_size=32, width=32, head_width=16, layers=3), text_cfg=TEXT),
    resnet=dict(
        embed_dim=24, vision_cfg=dict(image_size=224, layers=[1, 2, 1, 1], width=8, head_width=32), text_cfg=TEXT))


def both(kind, tmp_path, image_size=224, **options):
    """open_clip's model at a size, with statistics that are not those of a new one, and our encoder of its weights.

    Its positions are ours, made for 224 pixels, resized: open_clip's towers take no other size than theirs.
    """
    torch.manual_seed(0)
    architecture = {**ARCHITECTURES[kind], **options}
    clip = open_clip.model.CustomTextCLIP(**architecture).eval()
    for module in clip.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5), module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5), module.bias.data.uniform_(-0.5, 0.5)
    torch.save(clip.state_dict(), tmp_path / 'clip.pt')
    encoder = CLIPEncoder(
        architecture=architecture, pretrained=str(tmp_path / 'clip.pt'), quick_gelu=options.get('quick_gelu', False))
    encoder.init_weights()
    if image_size != 224:
        name = 'visual.attnpool.positional_embedding' if kind == 'resnet' else 'visual.positional_embedding'
        state = clip.state_dict()
        state[name] = resized(state[name], image_size // 32)
        vision = dict(architecture['vision_cfg'], image_size=image_size)
        clip = open_clip.model.CustomTextCLIP(**{**architecture, 'vision_cfg': vision}).eval()
        clip.load_state_dict(state)
    return clip, encoder.eval()


def resized(positions, side):
    grid = positions[1:].T.reshape(1, -1, 7, 7)
    grid = F.interpolate(grid, size=(side, side), mode='bicubic', align_corners=False)
    return torch.cat((positions[:1], grid.flatten(2)[0].T))


def encode_image(encoder, pixels):
    height, width = pixels.shape[-2:]
    box = torch.tensor([[0.0, 0.0, width, height]]).repeat(len(pixels), 1)
    return encoder.encode_image(encoder.embed_image(ImageInputs(pixels, box)))


@pytest.mark.parametrize('quick_gelu', [False, True], ids=['GELU', 'QuickGELU'])
@pytest.mark.parametrize('size', [224, 288])
def test_vit(tmp_path, size, quick_gelu):
    clip, encoder = both('vit', tmp_path, size, quick_gelu=quick_gelu)
    pixels = torch.randn(2, 3, size, size)
    features = encode_image(encoder, pixels)
    assert_close(features.image_global, clip.visual(pixels))
    intermediates = clip.visual.forward_intermediates(pixels, indices=[0, 1])['image_intermediates']
    for mine, theirs in zip(features.stages[:-1], intermediates):
        assert_close(mine, theirs)
    clip.visual.output_tokens = True
    # open_clip gives tokens before the projection.
    _, tokens = clip.visual(pixels)
    assert_close(features.patches, tokens @ clip.visual.proj)


@pytest.mark.parametrize('size', [224, 288])
def test_resnet(tmp_path, size):
    clip, encoder = both('resnet', tmp_path, size)
    pixels = torch.randn(2, 3, size, size)
    features = encode_image(encoder, pixels)
    assert_close(features.image_global, clip.visual(pixels))
    intermediates = clip.visual.forward_intermediates(
        pixels, indices=[2, 3], intermediates_only=True)['image_intermediates']
    for mine, theirs in zip(features.stages[:-1], intermediates):
        assert_close(mine, theirs)


@pytest.mark.parametrize('quick_gelu', [False, True], ids=['GELU', 'QuickGELU'])
def test_text(tmp_path, quick_gelu):
    clip, encoder = both('vit', tmp_path, quick_gelu=quick_gelu)
    lengths = torch.tensor([12, 5, 2])
    token_mask = torch.arange(12) < lengths[:, None]
    ids = torch.randint(1, 500, (3, 12)) * token_mask
    # open_clip finds the end token as the largest id.
    ids[torch.arange(3), lengths - 1] = 511
    features = encoder.encode_text(encoder.embed_text(ExpressionBatch(ids, token_mask, torch.zeros(3).long())))
    assert_close(features.sentence, clip.text(ids))
    clip.text.output_tokens = True
    _, tokens = clip.text(ids)
    assert_close(features.words, tokens)
    assert_close(features.words_joint, tokens @ clip.text.text_projection)
