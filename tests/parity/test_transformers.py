"""CLIP's towers against transformers' CLIPModel: its weights, as it saves them, give what it computes."""

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from mmris.models.encoders import CLIPEncoder
from mmris.structures import ExpressionBatch, ImageInputs
from tests.conftest import assert_close

END = 511
ARCHITECTURE = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=224, patch_size=32, width=32, head_width=16, layers=3),
    text_cfg=dict(context_length=12, vocab_size=512, width=40, heads=2, layers=2))


@pytest.fixture(params=['quick_gelu', 'gelu'])
def both(request, tmp_path):
    """transformers' model, and our encoder of the folder that it saved. The activation follows from its config."""
    torch.manual_seed(0)
    towers = dict(
        vision_config=dict(hidden_size=32, intermediate_size=128, num_hidden_layers=3, num_attention_heads=2,
                           image_size=224, patch_size=32, hidden_act=request.param),
        text_config=dict(hidden_size=40, intermediate_size=160, num_hidden_layers=2, num_attention_heads=2,
                         max_position_embeddings=12, vocab_size=512, hidden_act=request.param, bos_token_id=510,
                         eos_token_id=END))
    clip = CLIPModel(CLIPConfig(projection_dim=24, **towers)).eval()
    for value in clip.parameters():
        value.data += 0.02 * torch.randn(value.shape)
    clip.save_pretrained(tmp_path)
    encoder = CLIPEncoder(architecture=ARCHITECTURE, pretrained=str(tmp_path)).eval()
    encoder.init_weights()
    assert bool(encoder.text.quick_gelu) == (request.param == 'quick_gelu')
    return clip, encoder


@pytest.mark.parametrize('size', [(224, 224), (288, 224)])
def test_image(both, size):
    clip, encoder = both
    pixels = torch.randn(2, 3, *size)
    box = torch.tensor([[0.0, 0.0, size[1], size[0]]]).repeat(2, 1)
    with torch.no_grad():
        features = encoder.encode_image(encoder.embed_image(ImageInputs(pixels, box)))
        output = clip.vision_model(pixels, interpolate_pos_encoding=True, output_hidden_states=True)
        assert_close(features.image_global, clip.visual_projection(output.pooler_output))
        tokens = clip.vision_model.post_layernorm(output.last_hidden_state)[:, 1:]
        assert_close(features.patches, clip.visual_projection(tokens))
        for mine, theirs in zip(features.stages[:-1], output.hidden_states[1:]):
            assert_close(mine.flatten(2).transpose(1, 2), theirs[:, 1:])


def test_text(both):
    clip, encoder = both
    lengths = torch.tensor([12, 5, 2])
    token_mask = torch.arange(12) < lengths[:, None]
    ids = torch.randint(1, 500, (3, 12)) * token_mask
    ids[torch.arange(3), lengths - 1] = END
    with torch.no_grad():
        features = encoder.encode_text(encoder.embed_text(ExpressionBatch(ids, token_mask, torch.zeros(3).long())))
        output = clip.text_model(ids)
        assert_close(features.words, output.last_hidden_state)
        assert_close(features.sentence, clip.text_projection(output.pooler_output))
