"""The image of a sample, as its annotation has it."""

import re

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.transforms.loading import load_sample_image
from mmris.images import decode_image
from mmris.registry import TRANSFORMS

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
SKIP = "Or set bad_data='skip' of the data set to leave it out."


@pytest.fixture
def path(tmp_path) -> str:
    """Stored as 20 x 30 pixels; upright 30 x 20."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / 'photo.png', exif=exif)
    return str(tmp_path / 'photo.png')


def annotated(path: str, height: int, width: int) -> dict:
    return dict(img_path=path, height=height, width=width, img_id=7)


def load(info: dict, **options: object) -> dict:
    return TRANSFORMS.build(dict(type='LoadImage', **options))(dict(info))


def test_as_stored_or_upright(path):
    stored, upright = load(annotated(path, 20, 30)), load(annotated(path, 30, 20), upright=True)
    assert np.array_equal(stored['img'], PIXELS) and stored['ori_shape'] == stored['img_shape'] == (20, 30)
    assert np.array_equal(upright['img'], np.rot90(PIXELS, -1)) and upright['ori_shape'] == (30, 20)
    assert np.array_equal(load_sample_image(annotated(path, 20, 30)), PIXELS)


@pytest.mark.parametrize('upright, size, message', [
    (False, (30, 20), '{path} is 20 x 30 pixels (height x width) as stored, but its annotation says 30 x 20 (image id '
     '7), its size when its EXIF turns it upright. If your images were annotated upright, set '
     'inputs.steps.load_image.upright=True.'),
    (True, (20, 30), '{path} is 30 x 20 pixels (height x width) when its EXIF turns it upright, but its annotation '
     'says 20 x 30 (image id 7), its size as stored. Set inputs.steps.load_image.upright=False.'),
    (False, (40, 60), '{path} is 20 x 30 pixels (height x width), but its annotation says 40 x 60 (image id 7): the '
     'wrong file, or a resized one. Fetch the original.'),
])
def test_of_another_size(path, upright, size, message):
    """Only the transform gives advice that is about a data set."""
    message = re.escape(message.format(path=path))
    with pytest.raises(ValueError, match=f'^{message}$'):
        load_sample_image(annotated(path, *size), upright)
    with pytest.raises(ValueError, match=f'^{message} {re.escape(SKIP)}$'):
        load(annotated(path, *size), upright=upright)


def test_exchanged_sizes_without_exif(tmp_path):
    """No turn would make it fit."""
    Image.fromarray(PIXELS).save(tmp_path / 'plain.png')
    with pytest.raises(ValueError, match='but its annotation says 30 x 20 .*: the wrong file, or a resized one'):
        load_sample_image(annotated(str(tmp_path / 'plain.png'), 30, 20))


@pytest.mark.parametrize('content, error, message', [
    (None, FileNotFoundError, 'There is no image {path}. Set data_prefix.img_path of the data set to the folder of '
     'the images.'),
    (b'', ValueError, '{path} is empty. Fetch it again.'),
    (b'text', ValueError, '{path} is of no image format that Pillow reads: convert it to JPEG or PNG, or fetch it '
     'again if it should be one.'),
])
def test_what_can_be_left_out(tmp_path, content, error, message):
    path = tmp_path / 'photo.jpg'
    if content is not None:
        path.write_bytes(content)
    message = re.escape(message.format(path=path))
    with pytest.raises(error, match=f'^{message}$'):
        load_sample_image(annotated(str(path), 20, 30))
    with pytest.raises(error, match=f'^{message} {re.escape(SKIP)}$'):
        load(annotated(str(path), 20, 30))


def test_content_in_other_forms(path):
    """As some file backends give it."""
    content = open(path, 'rb').read()
    for form in (memoryview(content), bytearray(content)):
        assert np.array_equal(decode_image(form, 'photo', upright=False), PIXELS)
