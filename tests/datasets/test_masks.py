"""Masks from COCO segmentations, beside pycocotools' own decoding."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets.masks import decode_segmentation, union_of_segmentations

SIZES = [(1, 1), (1, 40), (40, 1), (37, 52), (300, 9)]


def random_polygon(generator: np.random.Generator, height: int, width: int) -> list:
    """Some of its corners lie outside of the image."""
    count = int(generator.integers(3, 9))
    corners = generator.uniform(-0.2, 1.2, (count, 2)) * (width, height)
    return corners.ravel().tolist()


@pytest.mark.parametrize('height, width', SIZES)
class TestAgainstPycocotools:

    def test_polygons(self, height, width):
        generator = np.random.default_rng(height + width)
        covered = 0
        for _ in range(30):
            polygons = [random_polygon(generator, height, width) for _ in range(generator.integers(1, 4))]
            expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))
            found = decode_segmentation(polygons, height, width)
            assert found.dtype == np.uint8 and found.flags.c_contiguous and np.array_equal(found, expected)
            covered += found.mean()
        assert 3 < covered < 30

    @pytest.mark.parametrize('share', [0, 0.01, 0.5, 1])
    def test_run_lengths(self, height, width, share):
        """Also those that begin with the object, or have none of it."""
        expected = (np.random.default_rng(height).random((height, width)) < share).astype(np.uint8)
        rle = coco_mask.encode(np.asfortranarray(expected))
        assert np.array_equal(decode_segmentation(rle, height, width), expected)

    def test_the_segmentations_of_a_target_are_united(self, height, width):
        generator = np.random.default_rng(height + width)
        segmentations = [[random_polygon(generator, height, width)] for _ in range(3)]
        mask = (generator.random((height, width)) < 0.1).astype(np.uint8)
        segmentations.append(coco_mask.encode(np.asfortranarray(mask)))
        expected = np.max([decode_segmentation(one, height, width) for one in segmentations], axis=0)
        assert np.array_equal(union_of_segmentations(segmentations, height, width), expected)


def test_no_segmentation_is_an_empty_target():
    found = union_of_segmentations([], 3, 5)
    assert found.shape == (3, 5) and found.dtype == np.uint8 and not found.any()


@pytest.mark.parametrize('height, width', SIZES)
def test_masks_are_written_where_the_caller_says(height, width):
    rows = np.full((3, height, width), 7, dtype=np.uint8)
    whole = [[[0, 0, width, 0, width, height, 0, height]]]
    for row, segmentations in zip(rows, (whole, [], whole)):
        assert union_of_segmentations(segmentations, height, width, out=row) is row
    assert (rows == np.uint8([1, 0, 1])[:, None, None]).all()
