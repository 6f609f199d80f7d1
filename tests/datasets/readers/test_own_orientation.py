"""Photographs that EXIF turns: tools show them upright, annotations belong to the pixels as stored."""

import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmris.datasets.masks import decode_segmentation
from tests.datasets.readers.own_exports import (
    TEXT_AREA,
    brush_value,
    convert,
    cvat_file,
    cvat_image,
    cvat_mask,
    cvat_polygon,
    label_studio_task,
    polygon_value,
    region_items,
)

SIZES = [(30, 42), (36, 36)]


def photograph(path, orientation, height, width):
    """Save a black image with a red rectangle.

    Returns:
        tuple[ndarray, ndarray]: Where it is red, as stored and as Pillow turns it upright.
    """
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[3:9, 5:21] = 255, 0, 0
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir()
    Image.fromarray(pixels).save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    return (pixels[..., 0] > 0).astype(np.uint8), (upright[..., 0] > 0).astype(np.uint8)


def outline(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top, right, bottom = map(int, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return [left, top, right, top, right, bottom, left, bottom]


def write_label_studio(folder, mask, value):
    height, width = mask.shape
    items = region_items('a', value, ['red'], height, width)
    (folder / 'own.json').write_text(json.dumps([label_studio_task(1, 'a.png', items)]))
    return 'label-studio', folder / 'own.json'


def write_ls_polygon(folder, mask):
    return write_label_studio(folder, mask, polygon_value(outline(mask), *mask.shape))


def write_ls_brush(folder, mask):
    return write_label_studio(folder, mask, brush_value(mask))


def write_cvat(folder, mask, shape):
    (folder / 'own.xml').write_text(cvat_file(cvat_image(0, 'a.png', *mask.shape, shape)))
    return 'cvat', folder / 'own.xml'


def write_cvat_polygon(folder, mask):
    return write_cvat(folder, mask, cvat_polygon(outline(mask), {TEXT_AREA: 'red'}))


def write_cvat_mask(folder, mask):
    return write_cvat(folder, mask, cvat_mask(mask, {TEXT_AREA: 'red'}))


def write_csv(folder, mask):
    Image.fromarray(mask).save(folder / 'mask.png')
    with open(folder / 'own.csv', 'w', newline='') as file:
        csv.writer(file).writerows([['image', 'mask', 'sentence'], ['a.png', 'mask.png', 'red']])
    return 'csv', folder / 'own.csv'


def write_masks(folder, mask):
    (folder / 'masks').mkdir()
    Image.fromarray(mask).save(folder / 'masks' / 'a.png')
    (folder / 'masks' / 'a.txt').write_text('red')
    return 'masks', folder / 'masks'


TOOLS = [write_ls_polygon, write_ls_brush, write_cvat_polygon, write_cvat_mask]
PICTURES = [write_csv, write_masks]


def read_mask(form, path, images, **options):
    content = convert(form, path, images, **options)
    image, = content.instances['images']
    annotation, = content.instances['annotations']
    return decode_segmentation(annotation['segmentation'], image['height'], image['width'])


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('write', TOOLS)
def test_tools_show_images_upright(write, size, orientation, tmp_path):
    stored, upright = photograph(tmp_path / 'images' / 'a.png', orientation, *size)
    assert np.array_equal(read_mask(*write(tmp_path, upright), tmp_path / 'images'), stored)


@pytest.mark.parametrize('orientation', range(5, 9))
@pytest.mark.parametrize('write', [*TOOLS, *PICTURES])
def test_a_size_as_stored_is_taken_as_it_is(write, orientation, tmp_path):
    """CVAT before 2.1 and old browsers did not turn images."""
    stored, _ = photograph(tmp_path / 'images' / 'a.png', orientation, *SIZES[0])
    assert np.array_equal(read_mask(*write(tmp_path, stored), tmp_path / 'images'), stored)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('write', PICTURES)
def test_pictures_of_masks_ask_where_the_size_does_not_tell(write, size, orientation, tmp_path):
    stored, upright = photograph(tmp_path / 'images' / 'a.png', orientation, *size)
    place = (*write(tmp_path, upright), tmp_path / 'images')
    if orientation != 1 and upright.shape == stored.shape:
        with pytest.raises(ValueError, match=f'orientation {orientation}.*--upright true .*--upright false'):
            read_mask(*place)
        assert np.array_equal(read_mask(*place, upright=False), upright)
        assert np.array_equal(read_mask(*place, upright='true'), stored)
    else:
        assert np.array_equal(read_mask(*place), stored)


@pytest.mark.parametrize('write', [*TOOLS, *PICTURES])
def test_a_resized_copy_is_refused(write, tmp_path):
    _, upright = photograph(tmp_path / 'images' / 'a.png', 6, *SIZES[0])
    with pytest.raises(ValueError, match=r'annotated at 21 x 15 pixels .* has 30 x 42, upright 42 x 30. Use the image'):
        read_mask(*write(tmp_path, np.ascontiguousarray(upright[::2, ::2])), tmp_path / 'images')


def test_an_option_that_is_neither(tmp_path):
    _, upright = photograph(tmp_path / 'images' / 'a.png', 1, *SIZES[0])
    with pytest.raises(ValueError, match="--upright is 'maybe', but needs to be true or false"):
        read_mask(*write_csv(tmp_path, upright), tmp_path / 'images', upright='maybe')
