"""Instance masks of one image, as command lines name them."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from pycocotools import mask as coco_mask

from mmris.apis.mask_files import find_image_id, masks_of_image
from mmris.command_line.arguments import add_mask_arguments

SIZE = (6, 8)


def result(image_id, left, score):
    mask = np.zeros(SIZE, dtype=np.uint8, order='F')
    mask[2:4, left:left + 2] = 1
    counts = coco_mask.encode(mask)['counts'].decode()
    return dict(image_id=image_id, category_id=1, score=score, segmentation=dict(size=list(SIZE), counts=counts))


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def read(*options, takes=True, note=None, **settings):
    """The first columns of the masks that a command line gives for ``photos/cat.jpg``."""
    parser = argparse.ArgumentParser()
    add_mask_arguments(parser)
    arguments = parser.parse_args([str(one) for one in options])
    arguments.image = 'photos/cat.jpg'
    given = masks_of_image(arguments, predictor_of(takes, **settings), SIZE)
    if note is not None:
        assert given.note == note
    return given.masks if given.masks is None else [int(mask.any(axis=0).argmax()) for mask in given.masks]


def predictor_of(takes, **settings):
    model = SimpleNamespace(cfg=Config(dict(test_dataloader=dict(dataset=settings))))
    return SimpleNamespace(model=model, takes_instance_masks=takes)


@pytest.fixture
def masks(tmp_path):
    """Of two images; of number 7 on the left, in the middle and on the right, surer and surer."""
    results = [result(7, 0, 0.2), result('b', 1, 0.9), result(7, 3, 0.5), result(7, 5, 0.8)]
    return write(tmp_path / 'masks.json', results)


@pytest.fixture
def images(tmp_path):
    names = {7: 'there/photos/cat.jpg', 'b': 'dog.jpg', 9: 'cow.jpg'}
    return write(tmp_path / 'images.json', dict(images=[dict(id=key, file_name=name) for key, name in names.items()]))


def test_none(masks):
    assert read(note='No instance masks (--masks): the model takes it that nothing was found.') is None
    assert read(takes=False, note='') is None
    for option in ('--image-id', '--masks-images', '--masks-min-score'):
        with pytest.raises(ValueError, match=f'{option} is about instance masks: give their file too, --masks FILE'):
            read(option, 1)


def test_a_model_that_takes_none(tmp_path):
    """Told before the file is read."""
    with pytest.raises(ValueError, match='The model takes no instance masks in. Leave --masks out'):
        read('--masks', tmp_path / 'nowhere.json', takes=False)


def test_by_id(masks):
    assert read('--masks', masks, '--image-id', 7, note=f'{masks}: 2 instance masks of image 7') == [5, 3]
    assert read('--masks', masks, '--image-id', 'b') == [1]
    with pytest.raises(ValueError, match='masks.json has no masks of image 8. --masks-images .* leave --masks out'):
        read('--masks', masks, '--image-id', 8)


def test_by_name(masks, images):
    """A number of folders may differ; an image without results is one on which nothing was found."""
    assert read('--masks', masks, '--masks-images', images) == [5, 3]
    write(images, dict(images=[dict(id='7', file_name='cat.jpg')]))
    assert read('--masks', masks, '--masks-images', images) == [5, 3], 'one file has text where the other has numbers'
    write(images, dict(images=[dict(id=9, file_name='cat.jpg')]))
    note = (f'{masks}: 0 instance masks: it does not mention image 9, so that nothing was found on it, or the file is '
            f'of other images')
    assert read('--masks', masks, '--masks-images', images, note=note) == []


def test_the_only_image(masks, tmp_path):
    assert read('--masks', write(tmp_path / 'one.json', [result('b', 2, 0.9)])) == [2]
    empty = write(tmp_path / 'none.json', [])
    assert read('--masks', empty, note=f'{empty}: 0 instance masks: it has no results') == []
    with pytest.raises(ValueError, match=r'masks.json has masks of 2 images \(7, b\): say which .* --image-id ID, or '
                       '.* --masks-images FILE.json'):
        read('--masks', masks)


def test_how_sure_and_how_many(masks):
    """As the config's data set has it, unless the command line says otherwise."""
    masks = ('--masks', masks, '--image-id', '7')
    assert read(*masks, instance_masks=dict(file='other.json', min_score=0.6)) == [5]
    assert read(*masks, instance_masks=dict(file='other.json', min_score=0.1, max_instances=2)) == [5, 3]
    assert read(*masks, '--masks-min-score', 0.1, instance_masks=dict(file='other.json', min_score=0.6)) == [5, 3, 0]
    note = f'{masks[1]}: 0 instance masks of image 7, where none has a score of 0.85 or more'
    assert read(*masks, '--masks-min-score', 0.85, note=note) == []
    assert read(*masks, '--masks-min-score', 0, instance_masks=dict(file='other.json', max_instances=1)) == [5]


def test_other_images_may_be_malformed(images, tmp_path):
    masks = write(tmp_path / 'masks.json', [result(7, 5, 0.9), dict(image_id=8, score=0.9)])
    for which in (('--image-id', 7), ('--masks-images', images)):
        assert read('--masks', masks, *which) == [5]


def test_of_another_size(tmp_path):
    entry = result(1, 0, 0.9)
    entry['segmentation']['size'] = [8, 6]
    with pytest.raises(ValueError, match='Instance mask 1 of photos/cat.jpg .image 1 of .*masks.json. is malformed'):
        read('--masks', write(tmp_path / 'masks.json', [entry]))


def test_missing_files(masks, tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no file of instance masks .*nowhere.json'):
        read('--masks', tmp_path / 'nowhere.json')
    with pytest.raises(FileNotFoundError, match='There is no annotation file .*nowhere.json'):
        read('--masks', masks, '--masks-images', tmp_path / 'nowhere.json')


class TestNames:

    def find(self, path, image, *names):
        write(path, dict(images=[dict(id=number, file_name=name) for number, name in enumerate(names)]))
        return find_image_id(path, image)

    def test_folders_tell_images_of_one_name_apart(self, tmp_path):
        path = tmp_path / 'images.json'
        assert self.find(path, '/elsewhere/cat.jpg', 'dog.jpg', 'photos/cat.jpg') == 1
        assert self.find(path, '/data/b/cat.jpg', 'a/cat.jpg', 'b/cat.jpg', 'dog.jpg') == 1
        with pytest.raises(ValueError, match='has no cow.jpg among its 2 images. Give the file .* --image-id ID'):
            self.find(path, '/data/a/cow.jpg', 'a/cat.jpg', 'b/cat.jpg')
        unsure = {'/data/c/cat.jpg': ('a/cat.jpg', 'b/cat.jpg'), 'a/cat.jpg': ('a/cat.jpg', 'cat.jpg')}
        for image, others in unsure.items():
            with pytest.raises(ValueError, match=rf'has 2 images called cat.jpg \({", ".join(others)}\), and {image} '
                               'does not tell which of them is meant: give its id, --image-id ID'):
                self.find(path, image, *others)

    @pytest.mark.parametrize('content', [[], dict(annotations=[]), dict(images=[dict(id=1)]), dict(images=['cat.jpg']),
                                         dict(images=[dict(id=[1], file_name='cat.jpg')])])
    def test_no_annotation_file(self, tmp_path, content):
        with pytest.raises(ValueError, match='images.json is no COCO annotation file: it lacks a list of images with'):
            find_image_id(write(tmp_path / 'images.json', content), 'cat.jpg')
