"""The trimodal encoder without masks against transformers' ViLT: its weights, as it saves them, give what it computes.

Where an image has a border, ViLT stretches its table of positions over the image, and the encoder here over the whole
input, so that there they are compared with a table that is the same everywhere.
"""

import pytest
import torch
from transformers import ViltConfig, ViltForMaskedLM, ViltModel

from mmris.models.encoders import TrimodalEncoder
from mmris.structures import ExpressionBatch, ImageInputs, InstanceMasks
from tests.conftest import assert_close

PATCH, TOKENS, LAYERS, VOCABULARY = 32, 9, 5, 60
ARCHITECTURE = dict(
    layers=LAYERS, channels=48, heads=4, feedforward_channels=80, patch_size=PATCH, image_size=384,
    vocabulary=VOCABULARY, text_positions=12)


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    """transformers shuffles patches, whose positions are added before."""
    monkeypatch.setattr(torch, 'multinomial', lambda weights, count, replacement=False: torch.arange(int(count)))


@torch.no_grad()
def transformers_model(kind=ViltModel, **options):
    """transformers' model with random weights throughout, and the epsilons of ViLT's own code."""
    torch.manual_seed(0)
    config = ViltConfig(
        hidden_size=48, num_hidden_layers=LAYERS, num_attention_heads=4, intermediate_size=80, patch_size=PATCH,
        image_size=384, vocab_size=VOCABULARY, max_position_embeddings=12, max_image_length=-1, layer_norm_eps=1e-6,
        **options)
    model = kind(config).eval()
    body = getattr(model, 'vilt', model)
    body.embeddings.text_embeddings.LayerNorm.eps = 1e-12
    for value in model.parameters():
        # Norms, tokens and positions begin as ones and zeros, which would hide much.
        value += 0.2 * torch.randn_like(value)
    return model, body


def ours_of(model, folder, **options):
    model.save_pretrained(folder)
    encoder = TrimodalEncoder(
        architecture=ARCHITECTURE,
        pretrained=str(folder / 'model.safetensors'),
        taps=range(1, LAYERS + 1),
        **dict(dict(masks=False), **options)).eval()
    encoder.init_weights()
    return encoder


def expressions(lengths):
    token_mask = torch.arange(TOKENS) < torch.tensor(lengths)[:, None]
    ids = torch.randint(0, VOCABULARY, token_mask.shape, generator=torch.Generator().manual_seed(1))
    return ExpressionBatch(ids, token_mask, torch.arange(len(lengths)))


def images(size, count=3, filled=None, instances=None):
    """Images that fill the upper left of their input, by default all of it."""
    height, width = filled or size
    box = torch.tensor([[0.0, 0.0, width, height]]).repeat(count, 1)
    pixels = torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(2))
    return ImageInputs(pixels, box, instances)


@torch.no_grad()
def run_theirs(body, given, text):
    mask = torch.zeros(len(given.pixels), *given.pixels.shape[-2:], dtype=torch.int64)
    for row, (x0, y0, x1, y1) in zip(mask, given.box.long().tolist()):
        row[y0:y1, x0:x1] = 1
    output = body(
        input_ids=text.token_ids, attention_mask=text.token_mask.long(), pixel_values=given.pixels, pixel_mask=mask,
        output_hidden_states=True)
    return [*output.hidden_states[1:-1], output.last_hidden_state]


@torch.no_grad()
def run_ours(encoder, given, text):
    image = encoder.encode_image(encoder.embed_image(given))
    return encoder.join(image, encoder.encode_text(encoder.embed_text(text)), text.image_index)


def sequence(found, stage, height=None):
    """A stage of ours as one sequence, in ViLT's order; of the image only rows of patches that it fills."""
    image = found.image.stages[stage][:, :, :height].flatten(2).transpose(1, 2)
    return torch.cat((found.text.stages[stage], found.image.class_stages[stage][:, None], image), dim=1)


@pytest.mark.parametrize('lengths', [(9, 5, 2), (9, 9, 9)], ids=['padding', 'no padding'])
@pytest.mark.parametrize('size', [(384, 384), (448, 448), (256, 416)])
def test_same_weights_same_features(tmp_path, size, lengths):
    model, body = transformers_model()
    given, text = images(size), expressions(lengths)
    expected, found = run_theirs(body, given, text), run_ours(ours_of(model, tmp_path), given, text)
    assert len(found.image.stages) == len(expected) == LAYERS
    for stage in range(LAYERS):
        assert_close(sequence(found, stage), expected[stage])
    assert_close(found.text.words, expected[-1][:, :TOKENS])
    assert_close(found.text.sentence, expected[-1][:, 0])
    assert_close(found.image.image_global, expected[-1][:, TOKENS])
    assert_close(found.image.patches, expected[-1][:, TOKENS + 1:])


def test_a_model_with_a_head(tmp_path):
    """Its body stands behind a prefix."""
    model, body = transformers_model(ViltForMaskedLM)
    given, text = images((384, 384)), expressions((9, 5, 2))
    found = run_ours(ours_of(model, tmp_path), given, text)
    assert_close(sequence(found, -1), run_theirs(body, given, text)[-1])


def test_letterbox_border(tmp_path):
    """Nothing looks at patches without image."""
    model, body = transformers_model()
    positions = body.embeddings.position_embeddings.data
    positions[:, 1:] = positions[:, 1:2]
    given, text = images((384, 384), filled=(256, 384)), expressions((9, 5, 2))
    expected, found = run_theirs(body, given, text), run_ours(ours_of(model, tmp_path), given, text)
    for stage in range(LAYERS):
        assert_close(sequence(found, stage, height=8), expected[stage])


def test_no_instances(tmp_path):
    """An encoder of masks without one is ViLT; absent ones change nothing either."""
    model, body = transformers_model()
    encoder, text = ours_of(model, tmp_path, masks=True), expressions((9, 5, 2))
    expected = run_theirs(body, images((384, 384)), text)[-1]
    nothing = InstanceMasks(masks=torch.zeros(3, 0, 384, 384).bool(), present=torch.zeros(3, 0).bool())
    absent = InstanceMasks(masks=torch.zeros(3, 2, 384, 384).bool(), present=torch.zeros(3, 2).bool())
    for instances in (nothing, absent):
        found = run_ours(encoder, images((384, 384), instances=instances), text)
        assert_close(sequence(found, -1), expected)
    present = InstanceMasks(masks=torch.ones(3, 2, 384, 384).bool(), present=torch.ones(3, 2).bool())
    found = run_ours(encoder, images((384, 384), instances=present), text)
    assert (sequence(found, -1) - expected).abs().max() > 0.01, 'instances change nothing'
