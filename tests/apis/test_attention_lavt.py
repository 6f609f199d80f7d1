"""Where LAVT's pixels look, each stage on its own grid."""

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmris.apis.attention import AttentionPredictor
from mmris.datasets.pipelines import resolve_pipelines
from tests.apis.test_attention import SENTENCE, build
from tests.conftest import ROOT, assert_close

IMAGE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


def predictor_of(**changes: dict) -> AttentionPredictor:
    """The demo's model, about an image that fills its input."""
    config = Config.fromfile(ROOT / 'configs/lavt/tiny_shaperef.py')
    config.merge_from_dict(dict(model=changes))
    resolve_pipelines(config)
    predictor = build(config)
    predictor.set_image(IMAGE)
    return predictor


@torch.inference_mode()
def test_maps():
    """Of "the red circle" the three words, between a start and an end token."""
    predictor, taken = predictor_of(), []
    for attention in predictor.model.encoder.attentions:
        attention.register_forward_pre_hook(lambda module, inputs: taken.append((module, inputs)))
    maps = predictor.look(SENTENCE).maps
    assert [(one.part, one.name, one.kind) for one in maps] == [
        ('encoder', f'stage {number}', 'pixels on words') for number in (1, 2, 3)]
    for found, side, (module, inputs) in zip(maps, (16, 8, 4), taken, strict=True):
        weights = module.attention_weights(*inputs)[0, 0]
        assert weights.shape == (side**2, 16)
        expected = weights[:, 1:4].sum(dim=1).view(1, 1, side, side)
        assert np.ptp(expected.numpy()) > 0.01
        assert_close(torch.from_numpy(found.values), F.interpolate(expected, size=(64, 64), mode='bilinear')[0, 0])


def test_a_joint_space():
    predictor = predictor_of(encoder=dict(joint_map=True), decoder=dict(in_channels=(32, 64, 64)))
    assert [one.name for one in predictor.look(SENTENCE).maps] == ['stage 1', 'stage 2', 'stage 3', 'joint space']
