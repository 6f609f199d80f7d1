"""Our LAVT against one written plainly from its numbers, with the same published weights: the whole and gradients."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmris.checkpoints.published import EXCLUDED
from mmris.checkpoints.published.lavt import KEY_MAP
from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, ImageInputs, ReferringInputs
from tests.conftest import assert_close
from tests.parity.plain_lavt import trace, training_loss
from tests.parity.toy_lavt import ARCHITECTURE, toy_inputs, toy_states

TEXT = 'text_encoder.'
# Window and size. Windows are padded in the last two stages, and in the first, second and last.
CASES = [(4, (64, 96)), (3, (96, 64))]


def published_state(window: int) -> dict:
    """Both entries of a released file as one."""
    model, text = toy_states(window=window)
    return {**model, **{f'{TEXT}{key}': value for key, value in text.items()}}


def our_model(window: int, training: bool):
    init_default_scope('mmris')
    model = MODELS.build(dict(
        type='ReferringSegmentor',
        data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3),
        encoder=dict(
            type='LAVTEncoder',
            image=dict(
                type='PaddedSwin',
                architecture=dict(layers=(2, 2, 2, 2), channels=8, heads=(1, 2, 2, 4), window=window),
                drop_path=0.0),
            text=dict(
                type='BERTTextTower',
                architecture=dict(layers=2, channels=24, heads=4, feedforward_channels=36, vocabulary=40,
                                  text_positions=12),
                dropout=0.0)),
        neck=dict(type='JointSpaceNeck', with_stages=True),
        decoder=dict(type='LAVTDecoder', form='lavt', in_channels=(8, 16, 32, 64), channels=20),
        head=dict(type='ConvolutionHead', channels=20, upsample=4, two_classes=True, align_corners=True),
        losses=dict(bce=dict(type='BinaryCrossEntropyLoss', class_weights=(0.9, 1.1))))).double()
    ours = KEY_MAP.to_ours(published_state(window), 'test')
    model.load_state_dict({key: value for key, value in ours.items() if not key.startswith(EXCLUDED)})
    return model.train(training)


def both(window: int, size: tuple, training: bool):
    """Ours, and the plain one with gradients, on the same rows."""
    given = toy_inputs(size=size)
    state = published_state(window)
    for value in state.values():
        value.requires_grad_(value.is_floating_point())
    text = {key.removeprefix(TEXT): value for key, value in state.items() if key.startswith(TEXT)}
    expected = trace(state, text, given['pixels'], given['token_ids'], given['token_mask'],
                     architecture=ARCHITECTURE._replace(window=window), training=training)
    box = torch.tensor([[0.0, 0.0, size[1], size[0]]], dtype=torch.float64).expand(3, -1)
    inputs = ReferringInputs(
        ImageInputs(given['pixels'], box),
        ExpressionBatch(given['token_ids'], given['token_mask'], torch.arange(3)))
    return our_model(window, training), inputs, state, expected, given['masks']


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('window, size', CASES)
def test_whole(window, size, training):
    model, inputs, _, expected, _ = both(window, size, training)
    with torch.no_grad():
        encoded = model.extract_feat(inputs)
        decoded = model.decoder(model.neck(encoded))
        logits = model.head(decoded)
    real = inputs.expressions.token_mask
    assert_close(encoded.text.words[real], expected.words[real])
    assert_close(model.encode_images(inputs.images).cells, expected.blocks[0])
    for mine, theirs in zip(encoded.image.stages, expected.stages, strict=True):
        assert_close(mine, theirs)
    assert_close(decoded.pixels, expected.levels[-1])
    assert_close(logits, expected.mask_logits)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('window, size', CASES)
def test_loss_and_gradients(window, size, training):
    """By the published names."""
    model, inputs, state, expected, masks = both(window, size, training)
    wanted = training_loss(expected.logits, masks)
    wanted.backward()
    loss = model.losses['bce'](model.encode_decode(inputs), masks[:, None].double())
    assert_close(loss, wanted)
    loss.backward()
    theirs = KEY_MAP.to_theirs({
        **{name: value.grad for name, value in model.named_parameters()},
        # BatchNorms' statistics belong to the layout.
        **{name: value for name, value in model.named_buffers() if KEY_MAP.has(name)}}, 'test')
    compared, dead = 0, []
    for name, value in state.items():
        if not value.requires_grad or 'running' in name:
            continue
        if value.grad is None:
            dead.append(name)
            continue
        # Biases before InstanceNorms have gradients of nothing but rounding, and stand for zeros in ours.
        assert (theirs[name] - value.grad).abs().max() <= 1e-8 * max(1, value.grad.abs().max()), name
        compared += bool(value.grad.abs().max() > 1e-9)
    assert compared > 150
    assert dead == [f'backbone.layers.3.res_gate.{place}.weight' for place in (0, 2)]


def test_an_image_asked_several_times():
    """Four sentences, three of them about one image, which is encoded once."""
    model, inputs, _, _, _ = both(4, (64, 96), False)
    expressions, images = inputs.expressions, inputs.images
    ids, mask, index = expressions.token_ids[[0, 1, 2, 0]], expressions.token_mask[[0, 1, 2, 0]], [0, 0, 0, 1]
    with torch.no_grad():
        once = model.encode_decode(ReferringInputs(
            ImageInputs(images.pixels[:2], images.box[:2]), ExpressionBatch(ids, mask, torch.tensor(index))))
        apart = model.encode_decode(ReferringInputs(
            ImageInputs(images.pixels[index], images.box[index]), ExpressionBatch(ids, mask, torch.arange(4))))
    assert_close(once, apart)
    assert F.mse_loss(once[0], once[1]) > 1e-3
