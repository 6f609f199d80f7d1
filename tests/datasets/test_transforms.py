"""Decoding, geometry and its inverse, tokens, packing."""

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmris.datasets import CLIPTokenizer
from mmris.images import decode_image, to_rgb
from mmris.protocols import find_protocol
from mmris.protocols.geometry import to_opencv
from mmris.registry import TRANSFORMS
from tests.datasets.tokenizer_checks import check_odd_text, check_padding_to_the_longest


def build(kind: str, **options):
    return TRANSFORMS.build(dict(type=kind, **options))


def logit(probability: np.ndarray) -> torch.Tensor:
    return torch.logit(torch.from_numpy(probability).float().clamp(1e-6, 1 - 1e-6))


def encode(image: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


class TestDecoding:

    @pytest.mark.parametrize('suffix', ['.png', '.tiff'])
    @pytest.mark.parametrize('channels', [1, 3])
    def test_16_bits_become_8(self, suffix, channels):
        """As OpenCV writes them, from black to white; the nearest of 256 steps, or, of colours, the one below."""
        deep = np.array([[0, 200, 257, 5000, 32896, 65535]], dtype=np.uint16)[..., None].repeat(channels, axis=2)
        found = decode_image(cv2.imencode(suffix, deep)[1].tobytes(), 'scan', upright=True)
        assert found.shape == (1, 6, 3) and found.dtype == np.uint8
        assert np.abs(found - deep / 257).max() <= (0.5 if channels == 1 else 1)

    @pytest.mark.parametrize('mode, kind', [('I;16', '<u2'), ('I;16B', '>u2'), ('I;16L', '<u2')])
    def test_either_order_of_bytes(self, mode, kind):
        deep = np.array([[0, 257 * 90], [257 * 200, 65535]], dtype=kind)
        found = to_rgb(Image.frombytes(mode, (2, 2), deep.tobytes()), 'scan')
        assert (found == np.array([[0, 90], [200, 255]])[..., None]).all()

    @pytest.mark.parametrize('mode', ['I', 'F'])
    def test_values_of_no_known_range_are_refused(self, mode):
        content = encode(Image.new(mode, (3, 2), 1), 'TIFF')
        with pytest.raises(ValueError, match=f"depth.tif has the mode '{mode}' of Pillow, which cannot be brought to "
                           'RGB without guessing: convert it to 8 bits, grey or RGB'):
            decode_image(content, 'depth.tif', upright=False)

    def test_a_mode_that_pillow_does_not_convert(self):
        with pytest.raises(ValueError, match="mine has the mode 'La' of Pillow, .*: convert it to 8 bits"):
            to_rgb(Image.new('La', (2, 2)), 'mine')

    @pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA'])
    def test_pixels_may_be_changed(self, mode):
        """Augmentations write to them."""
        assert decode_image(encode(Image.new(mode, (3, 2)), 'PNG'), 'mine', upright=False).flags.writeable

    @pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'CMYK', 'YCbCr'])
    def test_modes_of_8_bits(self, mode):
        """Black and white stay what they are."""
        picture = Image.fromarray(np.uint8([[0, 255]])[..., None].repeat(3, axis=2)).convert(mode)
        assert to_rgb(picture, 'mine').tolist() == [[[0] * 3, [255] * 3]]

    def test_what_pillow_does_not_read(self):
        """The first bytes of a telephone's photograph."""
        heic = b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(100)
        with pytest.raises(ValueError, match='photo.heic is of no image format that Pillow reads: convert it to JPEG '
                           'or PNG, or fetch it again if it should be one.$'):
            decode_image(heic, 'photo.heic', upright=True)

    def test_more_pixels_than_pillow_decodes(self, monkeypatch):
        content = encode(Image.new('1', (3000, 2000)), 'PNG')
        monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1_000_000)
        with pytest.raises(ValueError, match='wide.png has more than 2 million pixels: make it smaller.$'):
            decode_image(content, 'wide.png', upright=True)


class TestGeometry:

    @pytest.mark.parametrize('kind', ['Letterbox', 'Resize'])
    @pytest.mark.parametrize('original, size', [((40, 60), 96), ((61, 35), 96), ((90, 120), 64), ((50, 50), (48, 80)),
                                                ((43, 59), 97), ((57, 100), 71)])
    def test_the_affine_map_and_its_inverse(self, kind, original, size):
        """A smooth picture, warped to the input, comes back through the inverse where it was."""
        height, width = original
        y, x = np.mgrid[0:height, 0:width]
        picture = 0.5 + 0.4 * np.sin((x + 0.5) / width * 3) * np.cos((y + 0.5) / height * 2)
        image = np.repeat((picture * 255).round().astype(np.uint8)[..., None], 3, axis=2)
        results = build(kind, size=size)(dict(img=image))
        warped = results['img'][..., 0] / 255
        to_original_pixels = find_protocol('mmris').to_original_pixels
        back = to_original_pixels(logit(warped)[None, None], results['affine'], results['img_shape'], original)
        inner = (slice(2, -2), slice(2, -2))
        assert np.abs(back[0].numpy()[inner] - picture[inner]).max() < 0.012

    @pytest.mark.parametrize('kind', ['Letterbox', 'Resize'])
    @pytest.mark.parametrize('original, size', [((40, 60), 96), ((43, 59), 96), ((60, 31), 64), ((57, 50), (31, 45)),
                                                ((60, 60), 25), ((59, 60), (23, 60))])
    def test_each_pixel_shows_the_place_that_the_inverse_map_says(self, kind, original, size):
        """Ramps, which keep their values whatever interpolates them, to a fifth of a pixel."""
        y, x = (axis + 0.5 for axis in np.mgrid[0:original[0], 0:original[1]])
        results = build(kind, size=size)(dict(img=np.stack((4 * x, 4 * y, 0 * x), axis=-1).astype(np.uint8)))
        (x0, y0, x1, y1), (width, height) = map(int, results['image_box']), results['affine'][[0, 1], [0, 1]]
        # The outermost pixels are repeated, so the ramp has a bend there.
        columns = np.arange(x0 + int(2 * width) + 1, x1 - int(2 * width) - 1)
        rows = np.arange(y0 + int(2 * height) + 1, y1 - int(2 * height) - 1)[:, None]
        assert rows.size > 5 and columns.size > 5
        found = results['img'][rows, columns] / 4
        assert np.abs(found[..., 0] - (columns + 0.5 - results['affine'][0, 2]) / width).max() < 0.2
        assert np.abs(found[..., 1] - (rows + 0.5 - results['affine'][1, 2]) / height).max() < 0.2

    @pytest.mark.parametrize('original', [(20, 40), (41, 17), (30, 30), (1, 1), (1, 90), (90, 1), (1, 40000)])
    @pytest.mark.parametrize('size', [64, (33, 50)])
    def test_image_and_masks_fill_the_box_and_nothing_else(self, original, size):
        masks = np.ones((2, *original), dtype=np.uint8)
        results = build('Letterbox', size=size)(
            dict(img=np.full((*original, 3), 200, dtype=np.uint8), gt_original=masks, instance_masks=masks))
        inside = np.zeros(results['img_shape'], dtype=bool)
        x0, y0, x1, y1 = map(int, results['image_box'])
        inside[y0:y1, x0:x1] = True
        assert inside.any() and (results['img'][inside] == 200).all()
        assert (results['img'][~inside] == (123, 117, 104)).all()
        assert np.array_equal(results['gt_input'], np.stack([255 * inside] * 2))
        assert np.array_equal(results['instance_input'], np.stack([inside] * 2))

    @pytest.mark.parametrize('kind, options', [('Letterbox', dict(border_colour=(0, 0, 0))), ('Resize', {})])
    @pytest.mark.parametrize('size', [18, 37, 64, 90, (64, 41)])
    def test_image_and_mask_lie_on_each_other(self, kind, options, size):
        """A white disc on black and its mask: both have their centre where the map says."""
        y, x = np.mgrid[0:43, 0:61] + 0.5
        disc = np.hypot(x - 27.3, y - 19.6) < 15
        results = build(kind, size=size, **options)(
            dict(img=np.repeat(np.uint8(255 * disc)[..., None], 3, axis=2), gt_original=np.uint8(disc)[None]))
        expected = results['affine'] @ (x[disc].mean(), y[disc].mean(), 1)
        area = disc.sum() * np.linalg.det(results['affine'][:, :2])
        y, x = np.mgrid[0:results['img_shape'][0], 0:results['img_shape'][1]] + 0.5
        for weights in (results['img'][..., 0] / 255, results['gt_input'][0] / 255):
            centre = np.average(x, weights=weights), np.average(y, weights=weights)
            assert np.abs(centre - expected).max() < 0.1
            assert weights.sum() == pytest.approx(area, rel=0.03)

    def test_images_that_become_small_are_means(self):
        """Single pixels of black and white become grey, not a pattern of their own."""
        image = np.tile(np.repeat(np.uint8([[0, 255], [255, 0]])[..., None], 3, axis=2), (50, 50, 1))
        for size in (15, 39):
            assert np.abs(build('Letterbox', size=size)(dict(img=image))['img'].astype(int) - 127.5).max() < 20

    @pytest.mark.parametrize('size', [25, 43, 90])
    def test_other_images_are_cubic(self, size):
        """As OpenCV's warp computes it by the map, with weights of its own rounding."""
        noise = np.random.default_rng(0).integers(0, 255, (43, 43, 3), dtype=np.uint8)
        results = build('Letterbox', size=size)(dict(img=cv2.GaussianBlur(noise, (0, 0), 1)))
        expected = cv2.warpAffine(
            cv2.GaussianBlur(noise, (0, 0), 1), to_opencv(results['affine']), (size, size), flags=cv2.INTER_CUBIC)
        assert np.abs(results['img'].astype(int) - expected)[5:-5, 5:-5].max() <= 2

    def test_letterbox_is_centred_and_its_border_has_the_mean_colour(self):
        results = build('Letterbox', size=64)(dict(img=np.full((20, 40, 3), 200, dtype=np.uint8)))
        assert results['image_box'] == (0, 16, 64, 48)
        assert results['img'][:16].reshape(-1, 3).tolist() == [[123, 117, 104]] * (16 * 64)
        assert (results['img'][16:48] == 200).all()

    def test_resize_fills_the_input(self):
        results = build('Resize', size=(32, 48))(dict(img=np.full((20, 40, 3), 200, dtype=np.uint8)))
        assert results['image_box'] == (0, 0, 48, 32) and (results['img'] == 200).all()

    def test_masks_are_warped_with_the_image(self):
        """A box of whole pixels, doubled: its area is four times, its border half covered."""
        mask = np.zeros((1, 32, 32), dtype=np.uint8)
        mask[0, 8:16, 4:20] = 1
        results = build('Letterbox', size=64)(dict(img=np.zeros((32, 32, 3), dtype=np.uint8), gt_original=mask))
        warped = results['gt_input'][0]
        assert warped.dtype == np.uint8 and warped.max() == 255 and warped.min() == 0
        assert warped.sum() / 255 == pytest.approx(4 * mask.sum(), rel=0.01)
        rows, columns = np.nonzero(warped >= 128)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 31, 8, 39)

    def test_a_letterbox_without_a_border_is_a_resize(self):
        image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        image = cv2.GaussianBlur(image, (0, 0), 2)
        one, other = (build(kind, size=80)(dict(img=image))['img'] for kind in ('Letterbox', 'Resize'))
        assert np.array_equal(one, other)

    def test_a_test_pipeline_leaves_masks_original(self):
        results = build('Letterbox', size=64)(dict(img=np.zeros((8, 8, 3), dtype=np.uint8)))
        assert 'gt_input' not in results

    @pytest.mark.parametrize('size', [0, (3, ), (4, -4)])
    def test_sizes_that_are_none(self, size):
        with pytest.raises(ValueError, match='size of Letterbox is a height and a width in pixels'):
            build('Letterbox', size=size)


class TestTokens:

    def test_layout(self):
        ids, mask = CLIPTokenizer(context_length=8)(['a red circle', ''])
        assert ids.shape == mask.shape == (2, 8)
        assert ids[0, 0] == 49406 and ids[0, 4] == 49407 and ids[1, :2].tolist() == [49406, 49407]
        assert mask.sum(dim=1).tolist() == [5, 2] and (ids[~mask] == 0).all()

    def test_truncation_keeps_the_end(self):
        ids, mask = CLIPTokenizer(context_length=5)(['one two three four five six'])
        assert ids[0, 0] == 49406 and ids[0, -1] == 49407 and mask.all()

    def test_exclamation_mark_is_id_0_and_yet_a_token(self):
        ids, mask = CLIPTokenizer(context_length=6)(['!= red'])
        assert ids[0, 1] == 0 and mask[0, 1]
        assert mask[0].tolist() == [True] * 5 + [False]

    def test_agrees_with_open_clip(self):
        import open_clip
        sentences = ['The Boy in purple, left of the dog', "woman's hat", 'café #2', 'x']
        ids, _ = CLIPTokenizer(context_length=77)(sentences)
        assert torch.equal(ids, open_clip.get_tokenizer('ViT-B-16')(sentences))

    def test_odd_text(self):
        check_odd_text(CLIPTokenizer(context_length=20))
        check_padding_to_the_longest(CLIPTokenizer, 'the man on the left')

    def test_no_room(self):
        with pytest.raises(ValueError, match='context_length must be at least 2'):
            CLIPTokenizer(context_length=1)


class TestPacking:

    def test_masks_that_nobody_made(self):
        results = dict(img=np.zeros((4, 4, 3), dtype=np.uint8), token_ids=None, token_mask=None)
        with pytest.raises(ValueError, match='is to pack gt_input, but no transform made it'):
            build('PackReferringInputs', masks=['gt_input'])(results)

    def test_the_image_is_a_view_with_channels_first(self):
        image = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
        mask = np.uint8([[[0, 128, 255]]])
        packed = build('PackReferringInputs', masks=['gt_input'])(
            dict(img=image, token_ids=None, token_mask=None, gt_input=mask, text=['it'], height=4))
        assert np.array_equal(packed['inputs'].numpy(), image.transpose(2, 0, 1))
        assert packed['inputs'].data_ptr() == image.ctypes.data
        sample = packed['data_samples']
        assert sample.gt_input.dtype == torch.uint8 and np.array_equal(sample.gt_input.numpy(), mask)
        assert sample.metainfo == dict(text=['it'])

    def test_masks_that_there_are_not(self):
        with pytest.raises(ValueError, match='masks of PackReferringInputs are gt_input, .*, instance_iou, but got'):
            build('PackReferringInputs', masks=['gt'])
