"""Masks against the boxes of their annotations: what is a slip, and what tells another convention."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets.masks import segmentation_extent
from mmris.datasets.set_check import check_set, format_report
from tests.conftest import edit_instances, edit_refs, square


def check(folder, **options):
    return check_set(
        instances_path=str(folder / 'instances.json'),
        refs_path=str(folder / 'refs(unc).p'),
        image_folder=str(folder / 'images'),
        **{'decode': True, **options})


def set_boxes(folder, change, count=15):
    def edit(content):
        sizes = {image['id']: image for image in content['images']}
        for annotation in content['annotations'][:count]:
            annotation['bbox'] = change(annotation['bbox'], sizes[annotation['image_id']])

    edit_instances(folder, edit)


def test_boxes_that_fit(refer_set):
    report = check(refer_set)
    assert report.is_fine and not report.notes


@pytest.mark.parametrize('change, found', [
    # A square at x = 28 on an image 62 wide ends at 66 if its right end is taken for its width.
    (lambda box, size: [box[0], box[1], box[0] + box[2], box[1] + box[3]], 'reaches out of its image of 62 x 43'),
    (lambda box, size: [100 * one / side for one, side in zip(box, [size['width'], size['height']] * 2)],
     'but its mask is in [4, 7, 10, 10]'),
    (lambda box, size: [one / side for one, side in zip(box, [size['width'], size['height']] * 2)],
     'but its mask is in [4, 7, 10, 10]'),
    # Joined to the object beside it.
    (lambda box, size: [box[0] + 12, *box[1:]], 'but its mask is in [4, 7, 10, 10]'),
    (lambda box, size: box[:3], 'has bbox=[4, 7, 10], which is not four numbers'),
    (lambda box, size: [*box[:3], float('nan')], 'which is not four numbers'),
    (lambda box, size: 'box', "has bbox='box', which is not four numbers"),
])
def test_boxes_of_another_convention_are_a_problem(refer_set, change, found):
    set_boxes(refer_set, change)
    problem, = check(refer_set).problems
    assert problem.kind == 'boxes that do not fit' and problem.entry == str(refer_set / 'instances.json')
    assert found in problem.message and 'of 15 boxes' in problem.message
    assert 'Boxes are x, y, width, height in pixels. If yours are' in problem.message
    assert check(refer_set, decode=False).is_fine


def test_a_few_are_a_note(refer_set):
    set_boxes(refer_set, lambda box, size: [box[0] + 3, *box[1:]], count=1)
    report = check(refer_set)
    assert report.is_fine
    note, = report.notes
    assert note.startswith('1 of 15 boxes of ') and 'the first: annotation 101 has the box [7, 7, 10, 10], but its ' \
        'mask is in [4, 7, 10, 10]' in note
    assert f'Note: {note}' in format_report(report)


@pytest.mark.parametrize('moved, fits', [(2, True), (2.5, False), (-2, True), (-2.5, False)])
@pytest.mark.parametrize('side', [0, 1])
def test_two_pixels_are_allowed(refer_set, moved, fits, side):
    set_boxes(refer_set, lambda box, size: [one + moved * (place == side) for place, one in enumerate(box)])
    assert check(refer_set).is_fine == fits


def test_what_is_reported_elsewhere_or_has_no_box_is_left_out(refer_set):

    def change(content):
        content['annotations'][0].update(segmentation='x')
        content['annotations'][1].update(segmentation=[square(-20, 0, 9)])
        content['annotations'][2].pop('bbox')
        content['annotations'][3].update(bbox=None)

    edit_instances(refer_set, change)
    edit_refs(refer_set, lambda refs: (refs[4].update(ann_id=-1), refs[5].update(ann_id=[106, 105, 106])))
    report = check(refer_set)
    assert sorted(problem.kind for problem in report.problems) == ['empty mask', 'malformed mask'] and not report.notes


def test_extents_are_those_of_decoded_masks():
    generator = np.random.default_rng(0)
    for share in (0, 0.001, 0.01, 0.1, 0.5, 1):
        for _ in range(30):
            height, width = generator.integers(1, 40, 2).tolist()
            mask = (generator.random((height, width)) < share).astype(np.uint8)
            rle = coco_mask.encode(np.asfortranarray(mask))
            rows, columns = mask.nonzero()
            wanted = None
            if len(rows):
                wanted = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
            assert segmentation_extent(rle, height, width) == wanted
            assert segmentation_extent([rle, rle], height, width) == wanted


@pytest.mark.parametrize('image_id', [[1], {}, None, float('nan')])
def test_annotations_of_no_image_that_nothing_points_to(refer_set, image_id):

    def edit(content):
        extra = dict(content['annotations'][0], id=999999, image_id=image_id)
        content['annotations'].append(extra)

    edit_instances(refer_set, edit)
    assert check(refer_set).is_fine
