"""Our DETRIS against one written plainly from its numbers, with the same published weights: the whole and gradients."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmris.checkpoints.published import EXCLUDED
from mmris.checkpoints.published.detris import KEY_MAP
from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, ImageInputs, ReferringInputs
from tests.conftest import assert_close
from tests.parity.plain_detris import trace, training_loss
from tests.parity.toy_detris import HEADS, TAPS, toy_inputs, toy_state

# What published states hold and nothing reads, and BatchNorm's counters.
DEAD = ('dinov2.mask_token', 'txt_backbone.logit_scale')


def our_model(training: bool):
    init_default_scope('mmris')
    model = MODELS.build(dict(
        type='ReferringSegmentor',
        data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3),
        encoder=dict(
            type='DETRISEncoder',
            architecture=dict(
                embed_dim=20,
                vision_cfg=dict(image_size=32, patch_size=16, width=32, head_width=16, layers=1),
                text_cfg=dict(context_length=12, vocab_size=64, width=16, heads=2, layers=3)),
            quick_gelu=True,
            image=dict(
                type='DINOv2Tower', architecture=dict(layers=4, channels=24, heads=2, image_size=70), taps=TAPS),
            image_adapter_blocks=(2, 4),
            image_adapter_channels=32,
            text_adapter_blocks=(2, ),
            text_adapter_channels=16,
            attention_channels=8,
            attention_heads=2,
            dropout=0.0,
            text_length=12),
        neck=dict(type='ETRISNeck', in_channels=(24, 24, 24), sentence_channels=20, channels=16),
        decoder=dict(type='CRISDecoder', channels=16, word_channels=16, num_layers=2, num_heads=2,
                     feedforward_channels=24, dropout=0.0),
        head=dict(type='DynamicConvolutionHead', channels=16, sentence_channels=20),
        losses=dict(bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)))).double()
    ours = KEY_MAP.to_ours(toy_state(), 'test')
    missing, unexpected = model.load_state_dict(
        {key: value for key, value in ours.items() if not key.startswith(EXCLUDED)}, strict=False)
    assert not unexpected and all(key.endswith('quick_gelu') for key in missing)
    return model.train(training)


def both(training: bool, side: int):
    """Ours, and the plain one with gradients, on the same rows."""
    given = toy_inputs(side=side)
    ids = given['token_ids']
    model, state = our_model(training), toy_state()
    for value in state.values():
        value.requires_grad_(value.is_floating_point())
    expected = trace(state, given['pixels'], ids, heads=HEADS, taps=TAPS, training=training)
    box = torch.tensor([[0.0, 0.0, side, side]], dtype=torch.float64).expand(3, -1)
    inputs = ReferringInputs(ImageInputs(given['pixels'], box), ExpressionBatch(ids, ids != 0, torch.arange(3)))
    return model, inputs, state, expected, given['masks']


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('side', [56, 70])
def test_whole(training, side):
    model, inputs, _, expected, _ = both(training, side)
    with torch.no_grad():
        encoded = model.extract_feat(inputs)
        fused = model.neck(encoded)
        decoded = model.decoder(fused)
        logits = model.head(decoded)
    assert_close(encoded.text.words, expected.words)
    assert_close(encoded.text.sentence, expected.sentence)
    for mine, theirs in zip(encoded.image.stages, expected.stages, strict=True):
        assert_close(mine, theirs)
    assert_close(fused.pixels, expected.fused)
    assert_close(decoded.pixels, expected.decoded)
    assert_close(logits, expected.logits)


@pytest.mark.parametrize('training', [False, True])
def test_gradients(training):
    """By the published names."""
    model, inputs, state, expected, masks = both(training, 56)
    training_loss(expected.logits, masks).backward()
    logits = model.encode_decode(inputs)
    rows = torch.arange(logits.size(2)) * masks.size(1) // logits.size(2)
    wanted = masks[:, rows][:, :, rows][:, None].to(logits)
    torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted).backward()
    theirs = KEY_MAP.to_theirs({
        **{name: value.grad for name, value in model.named_parameters()},
        # BatchNorms' statistics belong to the layout.
        **{name: value for name, value in model.named_buffers() if KEY_MAP.has(name)}}, 'test')
    compared = 0
    for name, value in state.items():
        if value.requires_grad and name not in DEAD and 'running' not in name:
            # Positions of the decoder are sines of float32. Biases before BatchNorms, and queries and keys over
            # one word, have gradients of nothing but rounding.
            found = theirs[name] if theirs[name] is not None else torch.zeros_like(value)
            assert (found - value.grad).abs().max() <= 1e-6 * max(1, value.grad.abs().max()), name
            compared += bool(value.grad.abs().max() > 1e-9)
    assert compared > 150
