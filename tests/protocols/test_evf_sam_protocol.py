"""EVF-SAM's views and ways back, beside Pillow, torch, torchvision and the PyPI package segment-anything."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torchvision.transforms.functional import InterpolationMode, normalize, resize, to_tensor

from mmris.models import ReferringDataPreprocessor
from mmris.protocols import find_protocol
from mmris.protocols.geometry import letterbox_affine, longest_side_affine, longest_side_size, stretch_affine
from mmris.registry import TRANSFORMS

# A folder of photographs of one's own; without, images are of noise alone.
PHOTOGRAPHS = sorted(Path(os.environ.get('MMRIS_PHOTOGRAPHS', os.devnull)).glob('**/*.jpg'))
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Height and width: enlarged, shrunk, square, odd, long.
SIZES = [(427, 640), (640, 427), (1100, 1500), (1024, 1024), (61, 97), (40, 1500)]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def images():
    # Where neighbours differ by all that they can, a rounded place between them is seen.
    yield from (pytest.param(noise(*size), 5e-4, id=f'{size[0]}x{size[1]}') for size in SIZES)
    for path in PHOTOGRAPHS:
        yield pytest.param(np.array(Image.open(path).convert('RGB')), 1e-4, id=path.stem)


@pytest.mark.parametrize('pixels, tolerance', images())
def test_the_views_equal_the_published_codes(pixels, tolerance):
    """To the last bit for SAM, and to what OpenCV and torch differ by for BEiT-3."""
    stretch = dict(type='Resize', size=224, view='joint', keep_overshoot=True)
    results = TRANSFORMS.build(stretch)(dict(img=pixels))
    results = TRANSFORMS.build(dict(type='ResizeLongestSide', size=1024))(results)
    sam = ResizeLongestSide(1024).apply_image(pixels)
    height, width = sam.shape[:2]
    assert np.array_equal(results['img'][:height, :width], sam) and results['image_box'] == (0, 0, width, height)
    statistics = dict(mean=[127.5] * 3, std=[127.5] * 3)
    preprocessor = ReferringDataPreprocessor(mean=MEAN, std=STD, zero_border=True, views=dict(joint=statistics))
    joint = results['views']['joint']
    batch = preprocessor.batch_images([torch.from_numpy(results['img']).permute(2, 0, 1)], [results['image_box']],
                                      views=dict(joint=([torch.from_numpy(joint['img']).permute(2, 0, 1)],
                                                        [joint['image_box']])))
    reference = SimpleNamespace(
        pixel_mean=torch.tensor(MEAN).view(-1, 1, 1),
        pixel_std=torch.tensor(STD).view(-1, 1, 1),
        image_encoder=SimpleNamespace(img_size=1024))
    assert torch.equal(batch.pixels[0], Sam.preprocess(reference, torch.from_numpy(sam).permute(2, 0, 1)))
    expected = resize(to_tensor(pixels), (224, 224), interpolation=InterpolationMode.BICUBIC, antialias=False)
    expected = normalize(expected, (0.5, ) * 3, (0.5, ) * 3)
    found = batch.view('joint')
    assert (found.pixels[0] - expected).abs().max() < tolerance
    assert found.box.tolist() == [[0, 0, 224, 224]]


def normalised(step: str, pixels: np.ndarray, size: int = 1024) -> torch.Tensor:
    """What a model on SAM 2 gets of an image."""
    results = TRANSFORMS.build(dict(type=step, size=size))(dict(img=pixels))
    assert results['image_box'] == pytest.approx((0, 0, size, size))
    preprocessor = ReferringDataPreprocessor(mean=MEAN, std=STD)
    return preprocessor.batch_images([torch.from_numpy(results['img']).permute(2, 0, 1)],
                                     [results['image_box']]).pixels[0]


def statistics_of_sam() -> tuple:
    return tuple(torch.tensor(one).view(-1, 1, 1) for one in (MEAN, STD))


@pytest.mark.parametrize('pixels, _', images())
def test_the_multitask_view_of_sam2_equals_the_published_codes(pixels, _):
    """To the last bit, as torchvision resizes an image of Pillow's."""
    mean, std = statistics_of_sam()
    resized = np.array(resize(Image.fromarray(pixels), (1024, 1024), interpolation=InterpolationMode.BILINEAR))
    expected = (torch.from_numpy(resized).permute(2, 0, 1).float() - mean) / std
    assert torch.equal(normalised('PillowResize', pixels), expected)


@pytest.mark.parametrize('pixels, _', images())
def test_the_plain_view_of_sam2_equals_the_published_codes(pixels, _):
    """But for rounding: there it is normalised before the second interpolation."""
    mean, std = statistics_of_sam()
    fitted = ResizeLongestSide(1024).apply_image(pixels)
    expected = (torch.from_numpy(fitted).permute(2, 0, 1).contiguous().float() - mean) / std
    expected = F.interpolate(expected[None], (1024, 1024), mode='bilinear', align_corners=False)[0]
    assert (normalised('LongestSideThenStretch', pixels) - expected).abs().max() < 2e-5


def test_what_interpolation_shoots_over_is_kept():
    board = np.kron(np.indices((20, 20)).sum(axis=0) % 2, np.ones((9, 9)))[..., None].repeat(3, axis=2)
    board = (255 * board).astype(np.uint8)
    step = dict(type='Resize', size=224)
    kept = TRANSFORMS.build(dict(step, keep_overshoot=True))(dict(img=board))['img']
    assert kept.dtype == np.float32 and kept.min() < -5 and kept.max() > 260
    cut = TRANSFORMS.build(step)(dict(img=board))['img']
    assert cut.dtype == np.uint8 and np.abs(kept.clip(0, 255) - cut).max() <= 1


@pytest.mark.parametrize('step', ['ResizeLongestSide', 'PillowResize', 'LongestSideThenStretch'])
@pytest.mark.parametrize('size', SIZES)
def test_masks_go_where_the_image_goes(size, step):
    mask = (noise(*size)[..., 0] > 100).astype(np.uint8)
    pixels = 255 * mask[..., None].repeat(3, axis=2)
    results = TRANSFORMS.build(dict(type=step, size=96))(
        dict(img=pixels, gt_original=mask[None], instance_masks=mask[None]))
    image, [target] = results['img'][..., 0], results['gt_input']
    # Fractions of grey levels are rounded.
    assert target.dtype == np.uint8 and np.abs(target - image.astype(float)).max() <= 0.501 * (image.dtype != np.uint8)
    assert np.array_equal(results['instance_input'][0], target >= 128)


def logits_of(seed: int, count: int = 3, grid: int = 64) -> torch.Tensor:
    """Logits with outlines everywhere, also across the border."""
    coarse = torch.randn(count, 1, 9, 9, generator=torch.Generator().manual_seed(seed))
    return 4 * F.interpolate(coarse, size=(grid, grid), mode='bicubic', align_corners=False)


@pytest.mark.parametrize('size', [*SIZES, (3, 5), (1, 700)])
def test_masks_equal_the_published_codes(size):
    """Each pixel, on the same logits."""
    protocol, logits = find_protocol('evf_sam'), logits_of(sum(size))
    reference = SimpleNamespace(image_encoder=SimpleNamespace(img_size=1024))
    expected = Sam.postprocess_masks(reference, logits, longest_side_size(size, (1024, 1024)), size)[:, 0]
    found = protocol.to_original_pixels(logits, longest_side_affine(size, (1024, 1024)), (1024, 1024), size)
    assert torch.equal(protocol.masks(found), expected > 0)
    assert torch.allclose(found, expected.sigmoid(), atol=1e-6)


@pytest.mark.parametrize('name', ['evf_sam2', 'evf_sam2_multitask'])
@pytest.mark.parametrize('size', [*SIZES, (3, 5), (1, 700)])
def test_masks_of_sam2_equal_the_published_codes(size, name):
    """Each pixel, on the same logits."""
    protocol, logits = find_protocol(name), logits_of(sum(size), grid=256)
    expected = F.interpolate(logits, size=size, mode='bilinear', align_corners=False)[:, 0]
    found = protocol.to_original_pixels(logits, stretch_affine(size, (1024, 1024)), (1024, 1024), size)
    assert torch.equal(protocol.masks(found), expected > 0)
    assert torch.allclose(found, expected.sigmoid(), atol=1e-6)


@pytest.mark.parametrize('name', ['evf_sam', 'evf_sam2'])
def test_a_logit_just_above_0_is_foreground(name):
    """Its sigmoid would round to 1/2, which is not above it."""
    protocol, affine = find_protocol(name), np.eye(3)[:2]
    logits = torch.tensor([-1e-9, 0.0, 1e-9, 1e-40]).view(4, 1, 1, 1)
    found = protocol.to_original_pixels(logits, affine, (8, 8), (8, 8))
    assert protocol.masks(found)[:, 0, 0].tolist() == [False, False, True, True]


@pytest.mark.parametrize('original', [(48, 96), (20, 31)])
def test_its_way_back_with_a_letterbox(original):
    """``model.resampling='evf_sam'`` works with any geometry: it crops to where the image lies."""
    logits, affine = logits_of(0, grid=16), letterbox_affine(original, (64, 64))
    found = find_protocol('mmris', 'evf_sam').to_original_pixels(logits, affine, (64, 64), original)
    at_input = F.interpolate(logits, size=(64, 64), mode='bilinear', align_corners=False)
    (x0, y0), (x1, y1) = affine[:, 2].round().astype(int), (affine @ [original[1], original[0], 1]).round().astype(int)
    expected = F.interpolate(at_input[..., y0:y1, x0:x1], size=original, mode='bilinear', align_corners=False)
    assert torch.allclose(found, expected[:, 0].sigmoid(), atol=1e-6)


@pytest.mark.parametrize('resampling', ['evf_sam', 'evf_sam2'])
def test_its_way_back_with_a_fraction_of_a_pixel(resampling):
    """On a plane of logits, which stays one however often it is resampled, but for the border."""
    affine = np.array([[1.5, 0, 0.4], [0, 1.2, 0.3]])
    y, x = torch.meshgrid(*[(torch.arange(16) + 0.5) / 16] * 2, indexing='ij')
    logits = (3 * x - 2 * y)[None, None]
    found = find_protocol('mmris', resampling).to_original_pixels(logits, affine, (64, 64), (50, 40))
    y, x = torch.meshgrid(torch.arange(50) + 0.5, torch.arange(40) + 0.5, indexing='ij')
    expected = (3 * (1.5 * x + 0.4) / 64 - 2 * (1.2 * y + 0.3) / 64).sigmoid()
    assert torch.allclose(found[0, 3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-5)


@pytest.mark.parametrize('name', ['evf_sam', 'evf_sam2', 'evf_sam2_multitask'])
def test_empty_against_empty_counts_1(name):
    """As its metric adds 1 where the union is empty."""
    assert find_protocol(name).scoring.empty_iou == 1 and find_protocol(name).threshold == 0.5
