"""The protocol of CRIS beside a plain reference, written from the steps of its published code.

A reference sample is one image and one mask file; a batch is one image and one sentence, as in its test.
"""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.evaluator import Evaluator

from mmris.apis import Predictor
from mmris.evaluation import ReferringIoUMetric
from mmris.protocols import find_protocol
from mmris.protocols.geometry import letterbox_affine
from mmris.registry import TRANSFORMS
from mmris.structures import Answer
from tests.conftest import ROOT

# Height and width of photographs of COCO, and sizes that are odd, tiny or long.
SIZES = [(480, 640), (640, 480), (427, 640), (640, 426), (375, 500), (333, 500), (612, 612), (359, 640), (61, 97),
         (30, 40), (1500, 200)]
INPUT = 416


class Reference:
    """What the published code does with one image and the logits for one sentence about it."""

    def __init__(self, height: int, width: int, size: int = INPUT) -> None:
        self.height, self.width, self.size = height, width, size
        ratio = min(size / height, size / width)
        inner_h, inner_w = height * ratio, width * ratio
        left, top = (size - inner_w) / 2., (size - inner_h) / 2.
        here = np.array([[0, 0], [width, 0], [0, height]], np.float32)
        there = np.array([[left, top], [inner_w + left, top], [left, inner_h + top]], np.float32)
        self.forward = cv2.getAffineTransform(here, there)
        self.inverse = cv2.getAffineTransform(there, here)

    def image(self, pixels: np.ndarray) -> np.ndarray:
        mean = [0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255]
        return cv2.warpAffine(pixels, self.forward, (self.size, self.size), flags=cv2.INTER_CUBIC, borderValue=mean)

    def target(self, mask: np.ndarray) -> np.ndarray:
        warped = cv2.warpAffine(
            mask * 255, self.forward, (self.size, self.size), flags=cv2.INTER_LINEAR, borderValue=0.)
        return warped / 255.

    def mask(self, logits: torch.Tensor) -> np.ndarray:
        prediction = torch.sigmoid(logits)
        if prediction.shape[-2:] != (self.size, self.size):
            prediction = F.interpolate(
                prediction, size=(self.size, self.size), mode='bicubic', align_corners=True).squeeze()
        prediction = cv2.warpAffine(
            prediction.squeeze().numpy(), self.inverse, (self.width, self.height), flags=cv2.INTER_CUBIC,
            borderValue=0.)
        return np.array(prediction > 0.35)


def reference_scores(masks: list, targets: list) -> dict:
    ious = []
    for mask, target in zip(masks, targets):
        target = target * 255 / 255.
        ious.append(np.sum(np.logical_and(mask, target)) / (np.sum(np.logical_or(mask, target)) + 1e-6))
    ious = torch.from_numpy(np.stack(ious))
    scores = dict(mIoU=100 * ious.mean().item())
    for tenths, threshold in zip(range(5, 10), torch.arange(0.5, 1.0, 0.1)):
        scores[f'Pr@{tenths / 10}'] = 100 * (ious > threshold).float().mean().item()
    return scores


def smooth_logits(seed: int, count: int = 1, grid: int = INPUT // 4) -> torch.Tensor:
    """Logits with outlines everywhere, also across the border."""
    coarse = torch.randn(count, 1, 9, 9, generator=torch.Generator().manual_seed(seed))
    return 4 * F.interpolate(coarse, size=(grid, grid), mode='bicubic', align_corners=False)


@pytest.mark.parametrize('height, width', SIZES)
def test_inputs_and_masks_equal_the_published_codes(height, width):
    reference = Reference(height, width)
    random = np.random.default_rng(height * width)
    pixels = cv2.GaussianBlur(random.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 2)
    target = (cv2.GaussianBlur(random.random((height, width)), (0, 0), 5) > 0.5).astype(np.uint8)
    results = TRANSFORMS.build(dict(type='CRISWarp', size=INPUT))(dict(img=pixels, gt_original=target[None]))
    assert np.array_equal(results['img'], reference.image(pixels))
    assert np.array_equal(results['gt_input'][0] / 255, reference.target(target))

    protocol, logits = find_protocol('cris'), smooth_logits(height, count=3)
    found = protocol.masks(
        protocol.to_original_pixels(logits, results['affine'], results['img_shape'], (height, width))).numpy()
    for mask, one in zip(found, logits):
        assert np.array_equal(mask, reference.mask(one[None]))
    assert 0.05 < found.mean() < 0.95


def test_other_ways_back_give_other_masks():
    """What the test above compares is not so robust that any resampling would pass."""
    logits, size = smooth_logits(0), (427, 640)
    expected = Reference(*size).mask(logits)
    letterbox = letterbox_affine(size, (INPUT, INPUT))
    for resampling in ('bilinear', 'cris'):
        ours = find_protocol('mmris', resampling)
        found = ours.masks(ours.to_original_pixels(logits, letterbox, (INPUT, INPUT), size))[0].numpy()
        assert 10 < (found != expected).sum() < 0.02 * expected.size


def test_scores_equal_the_published_codes():
    """Also for empty masks: 0 / 0 is 0 there, 1 by our protocol."""
    random = np.random.default_rng(0)
    masks = [random.random((20, 30)) > share for share in random.random(30)]
    targets = [mask ^ (random.random((20, 30)) > share) for mask, share in zip(masks, random.random(30))]
    empty = np.zeros((20, 30), dtype=bool)
    masks, targets = [*masks, empty, empty, masks[0]], [*targets, empty, targets[0], empty]
    scores = {}
    for protocol in ('cris', 'mmris'):
        metric = ReferringIoUMetric()
        evaluator = Evaluator(metric)
        evaluator.dataset_meta = {}
        for number, (mask, target) in enumerate(zip(masks, targets)):
            metric.process({}, [
                dict(
                    img_id=number,
                    img_path='',
                    text=['it'],
                    ref_ids=[number],
                    sent_ids=[number],
                    protocol=protocol,
                    gt_original=torch.from_numpy(target[None]),
                    probabilities=torch.from_numpy(mask[None]).float())
            ])
        scores[protocol] = evaluator.evaluate(len(masks))
    expected = reference_scores(masks, targets)
    assert {name: scores['cris'][name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert scores['mmris']['mIoU'] == pytest.approx(expected['mIoU'] + 100 / 33, abs=1e-4)
    assert scores['mmris']['oIoU'] == scores['cris']['oIoU']


def test_a_predictor_of_that_protocol(monkeypatch):
    """One key of a config changes how its images go in, and how logits come back."""
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    config.model.protocol = 'cris'
    predictor = Predictor(config, device='cpu')
    size = predictor.model.cfg.test_dataloader.dataset.pipeline[1]['size']
    pixels = np.random.default_rng(0).integers(0, 256, (37, 61, 3), dtype=np.uint8)
    seen = []
    original = predictor.model.data_preprocessor.batch_images
    monkeypatch.setattr(predictor.model.data_preprocessor, 'batch_images',
                        lambda images, *rest: seen.extend(images) or original(images, *rest))
    predictor.set_image(pixels)
    reference = Reference(37, 61, size)
    assert np.array_equal(seen[0].permute(1, 2, 0).numpy(), reference.image(pixels))
    logits = smooth_logits(1, count=2, grid=size // 4)
    monkeypatch.setattr(predictor.model, 'segment', lambda *_: Answer(logits))
    for mask, one in zip(predictor.predict(['a', 'b']).masks, logits):
        assert np.array_equal(mask, reference.mask(one[None]))
    # The user's own config stays as it was.
    assert 'pipeline' not in config.test_dataloader.dataset
