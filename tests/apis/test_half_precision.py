"""Predictors whose weights have 16 bits, or 64."""

import copy
from typing import Type

import numpy as np
import pytest
import torch

from mmris.apis import Predictor
from mmris.apis.attention import AttentionPredictor
from mmris.utils.pretrained import forget_pretrained
from tests.conftest import tiny_config
from tests.test_configs import TOY_SWIN

# One of each encoder and its decoder, and RISCLIP's two stages, which have different ones.
METHODS = ('cm_masksd/vit-tiny_shaperef', 'cm_masksd/beit3-tiny_shaperef', 'cris/rn-tiny_shaperef',
           'detris/tiny_shaperef', 'evf_sam/tiny_shaperef', 'lavt/tiny_shaperef', 'mail/tiny_shaperef',
           'risclip/vit-tiny_shaperef_stage1', 'risclip/vit-tiny_shaperef_stage2', 'shared_ris/tiny_shaperef')
SENTENCES = ['the red circle', 'left one']
IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
# How far probabilities may be off: of 11 and of 8 binary digits.
TOLERANCES = {'half': 0.008, 'bfloat16': 0.04, 'double': 1e-5}


def build(name: str, kind: Type[Predictor] = AttentionPredictor, **changes: object) -> Predictor:
    """With random weights that leave no norm, bias or adapter where it starts."""
    config = tiny_config(f'{name}.py')
    forget_pretrained(config.model)
    config.merge_from_dict(dict(model=dict(encoder=changes)))
    torch.manual_seed(0)
    predictor = kind(config, device='cpu')
    with torch.no_grad():
        for value in predictor.model.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return predictor


def instances(predictor: Predictor) -> object:
    return np.arange(40 * 60).reshape(1, 40, 60) % 60 < 30 if predictor.takes_instance_masks else None


@pytest.mark.parametrize('name', METHODS)
def test_every_method(name):
    predictor = build(name)
    predictor.set_image(IMAGE, instances(predictor))
    expected = predictor.look(SENTENCES[0])
    state = copy.deepcopy(predictor.model.state_dict())
    for kind, tolerance in TOLERANCES.items():
        predictor.model.float().load_state_dict(state)
        getattr(predictor.model, kind)()
        predictor.set_image(IMAGE, instances(predictor))
        probabilities = predictor.predict(SENTENCES).probabilities
        assert probabilities.dtype == np.float32 and probabilities.shape == (2, 40, 60)
        assert np.abs(probabilities[0] - expected.prediction.probabilities[0]).max() < tolerance
        for mine, theirs in zip(predictor.look(SENTENCES[0]).maps, expected.maps):
            assert mine.values.dtype == np.float32
            assert np.abs(mine.values - theirs.values).max() < tolerance * max(1, np.abs(theirs.values).max())
    assert expected.prediction.probabilities[0].std() > 0.01


@pytest.mark.parametrize('kind', ['half', 'bfloat16'])
def test_a_swin(kind):
    """Its attention adds a mask."""
    config = tiny_config('cm_masksd/vit-tiny_shaperef.py')
    encoder = config.model.encoder
    encoder.pop('taps', None)
    encoder.image = dict(TOY_SWIN)
    config.model.neck.in_channels = (16, 32, encoder.architecture.embed_dim)
    torch.manual_seed(0)
    predictor = Predictor(config, device='cpu')
    predictor.set_image(IMAGE)
    expected = predictor.predict(SENTENCES).probabilities
    getattr(predictor.model, kind)()
    predictor.set_image(IMAGE)
    assert np.abs(predictor.predict(SENTENCES).probabilities - expected).max() < TOLERANCES[kind]


def test_an_image_of_other_weights():
    """It stays of the kind that it was encoded with."""
    predictor = build('cm_masksd/vit-tiny_shaperef')
    image = predictor.set_image(IMAGE)
    predictor.model.half()
    message = ('The image was encoded with weights of torch.float32 on cpu, but they are now of torch.float16 on cpu: '
               'call set_image again.')
    for given in (image, None):
        with pytest.raises(ValueError, match=message):
            predictor.predict(SENTENCES, image=given)
    predictor.model.float()
    assert predictor.predict(SENTENCES, image=image).masks.shape == (2, 40, 60)


def test_pixels_are_normalised_in_32_bits():
    """Mean and deviation keep their digits, on the way to 16 bits, back, and to another device."""
    model = build('cm_masksd/vit-tiny_shaperef').model
    preprocessor = model.data_preprocessor
    image = torch.from_numpy(IMAGE.transpose(2, 0, 1).copy())
    mean, std = preprocessor.mean.clone(), preprocessor.std.clone()
    expected = (image.float() - mean) / std
    for move, dtype in ((model.half, torch.float16), (model.cpu, torch.float16), (model.bfloat16, torch.bfloat16),
                        (lambda: model.to(torch.float64), torch.float64), (model.float, torch.float32)):
        move()
        pixels = preprocessor.batch_images([image], [(0, 0, 60, 40)]).pixels
        assert pixels.dtype == dtype and torch.equal(pixels[0], expected.to(dtype))
        assert torch.equal(preprocessor.mean, mean) and torch.equal(preprocessor.std, std)
    model.half().to('meta')
    assert preprocessor.mean.device.type == 'meta' and preprocessor.mean.dtype == torch.float32
    assert not [name for name in model.state_dict() if name.startswith('data_preprocessor')]
