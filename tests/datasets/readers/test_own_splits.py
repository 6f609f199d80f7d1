"""Dividing images of people's own data into splits."""

import pytest

from mmris.datasets.readers.own_splits import divide_images, read_split

NAMES = [f'{number}.jpg' for number in range(50)]


def test_it_depends_on_names_and_seed_alone():
    options = dict(val_share=0.2, test_share=0.1, seed=1)
    drawn = divide_images(NAMES, options, 'export.json')
    assert drawn == divide_images(NAMES[::-1], options, 'export.json')
    assert drawn != divide_images(NAMES, dict(options, seed=2), 'export.json')
    many = list(divide_images([f'{number}.jpg' for number in range(5000)], options, 'export.json').values())
    shares = [many.count(split) / 5000 for split in ('train', 'val', 'test')]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


@pytest.mark.parametrize('seed', range(5))
def test_images_keep_their_splits_when_others_are_added(seed):
    options = dict(val_share=0.2, test_share=0.2, seed=seed)
    before = divide_images(NAMES, options, 'export.json')
    assert min(list(before.values()).count(split) for split in ('train', 'val', 'test')) > 1
    after = divide_images([f'new/{number}.jpg' for number in range(70)] + NAMES, options, 'export.json')
    assert {name: after[name] for name in NAMES} == before
    assert set(list(after.values())[:70]) == {'train', 'val', 'test'}


def test_each_share_has_an_image():
    drawn = divide_images(NAMES[:3], dict(val_share=0.01, test_share='0.01'), 'export.json')
    assert sorted(drawn.values()) == ['test', 'train', 'val']
    drawn = divide_images(NAMES[:3], dict(val_share=0.5, test_share=0.499), 'export.json')
    assert sorted(drawn.values()) == ['test', 'train', 'val']
    drawn = divide_images(NAMES[:2], dict(val_share=0.999), 'export.json')
    assert sorted(drawn.values()) == ['train', 'val']
    assert set(divide_images(NAMES, {}, 'export.json').values()) == {'train'}
    assert divide_images([], {}, 'export.json') == {}


@pytest.mark.parametrize('options, message', [
    (dict(val_share=1.5), '--val-share is 1.5, but a share is a number from 0 to 1'),
    (dict(test_share='much'), "--test-share is 'much', but"),
    (dict(val_share=float('nan')), '--val-share is nan'),
    (dict(val_share=True), '--val-share is True'),
    (dict(val_share=0.6, test_share=0.4), 'leave nothing for train'),
    (dict(val_share=0.1, seed='x'), "--seed is 'x', but needs to be a whole number"),
])
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        divide_images(NAMES, options, 'export.json')


def test_too_few_images():
    with pytest.raises(ValueError, match='the files tell the splits of all. Leave these options out'):
        divide_images([], dict(val_share=0.1), 'export.json')
    with pytest.raises(ValueError, match=r'2 image\(s\) are too few .* Add images, or leave these options out'):
        divide_images(NAMES[:2], dict(val_share=0.1, test_share=0.1), 'export.json')


@pytest.mark.parametrize('name, split', [
    ('Train', 'train'), ('Validation', 'val'), ('VAL', 'val'), ('testA', 'testA'), ('testb', 'testB'),
    ('default', None), ('', None), (None, None), ('trainees', 'trainees'), (' Night ', 'Night')])
def test_names_of_subsets(name, split):
    assert read_split(name) == split
