"""ReasonSeg: folders of images with a JSON file each, drawn as its evaluation draws them."""

import json
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset, referred_images
from mmris.datasets.masks import decode_segmentation
from mmris.datasets.readers import read_content
from mmris.datasets.set_check import check_set
from mmris.registry import TRANSFORMS
from tests.datasets.readers.shaperef_forms import ReferSet, make_shaperef, read_samples

SPLITS = dict(train='train', val='val', testA='test', testB='test')


@pytest.fixture(scope='module')
def refer_set(tmp_path_factory):
    return ReferSet(make_shaperef(tmp_path_factory.mktemp('set')))


def shapes_of(mask):
    """Outlines through the centres of the pixels along the edge: with their borders drawn, they give the mask again."""
    outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return [dict(label='target', labels=['target'], shape_type='polygon', image_name='x.jpg', group_id=None,
                 points=outline[:, 0].tolist(), group_ids=[None], flags={}) for outline in outlines]


@pytest.fixture(scope='module')
def made(refer_set, tmp_path_factory):
    """An image for each ref, in a folder for each split. By split and name its texts and mask."""
    root, wanted = tmp_path_factory.mktemp('test_of') / 'ReasonSeg', {}
    for ref in refer_set.refs:
        folder, image = root / SPLITS[ref['split']], refer_set.images[ref['image_id']]
        folder.mkdir(parents=True, exist_ok=True)
        stem = f'{ref["image_id"]}_{ref["ref_id"]}_o'
        shutil.copy(refer_set.folder / 'images' / image['file_name'], folder / f'{stem}.jpg')
        mask = decode_segmentation(
            refer_set.annotations[ref['ann_id']]['segmentation'], image['height'], image['width'])
        texts = [one['raw'] for one in ref['sentences']]
        (folder / f'{stem}.json').write_text(json.dumps(
            dict(text=texts, is_sentence=False, shapes=shapes_of(mask)), indent=2))
        # Only the first counts where models are evaluated.
        counted = texts if folder.name == 'train' else texts[:1]
        rle = image['height'], image['width'], coco_mask.encode(np.asfortranarray(mask))['counts']
        wanted.setdefault(folder.name, {})[f'{stem}.jpg'] = Counter((text, rle) for text in counted)
    (root / 'explanatory').mkdir()
    (root / 'explanatory' / 'train.json').write_text('[]')
    return root, wanted


@pytest.fixture
def data(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / 'ReasonSeg')


def read(path, split, image_folder, **settings):
    return read_samples(split, path, image_folder=image_folder, text_field='raw', **settings)


def check(path, image_folder):
    return check_set(instances_path='instances.json', refs_path=str(path), image_folder=str(image_folder), decode=True,
                     text_field='raw')


def files_of(data, split='val'):
    """The first JSON file of a split, and its image."""
    path = sorted((data / split).glob('*.json'))[0]
    return path, path.with_suffix('.jpg')


def change(data, edit):
    path, _ = files_of(data)
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def draw_as_published(shapes, height, width):
    """The rule of LISA's data_processing.py, written down from its description: outlines without `flag` are sorted by
    the pixels that each covers, largest first and later ones first among equals; each is drawn with its border."""
    counted = [one for one in shapes if one['label'].lower() != 'flag']
    covered = []
    for one in counted:
        alone = np.zeros((height, width), np.uint8)
        points = np.array([one['points']], dtype=np.int32)
        cv2.fillPoly(alone, points, 1)
        cv2.polylines(alone, points, True, 1, 1)
        covered.append(np.count_nonzero(alone))
    mask = np.zeros((height, width), np.uint8)
    order = sorted(range(len(counted)), key=lambda position: (covered[position], position), reverse=True)
    for position in order:
        value = 255 if 'ignore' in counted[position]['label'].lower() else 1
        points = np.array([counted[position]['points']], dtype=np.int32)
        cv2.fillPoly(mask, points, value)
        cv2.polylines(mask, points, True, value, 1)
    return mask


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_all_splits(made, split):
    root, wanted = made
    assert len(wanted[split]) >= 6
    assert read(root, split, root) == read(root / split, split, root / split) == wanted[split]
    # Images are found beside their files, whatever folder is named.
    assert read(root, split, 'nowhere') == wanted[split]


def test_the_check(made):
    report = check(made[0], made[0])
    assert report.is_fine and list(report.splits) == ['train', 'val', 'test']
    assert report.splits['val'].image_files == report.splits['val'].counts.images == len(made[1]['val'])


def test_masks_are_drawn_as_published(tmp_path):
    """Every pixel of random outlines that overlap, cross themselves and leave the image."""
    generator, folder, wanted = np.random.default_rng(0), tmp_path / 'val', {}
    folder.mkdir()
    labels = ['target', 'ignore', 'Ignore_part', 'flag', 'Flag', 'FLAG', 'target', 'flagpole']
    values = set()
    for number in range(60):
        height, width = generator.integers(8, 60, 2).tolist()
        shapes = []
        for _ in range(generator.integers(1, 9)):
            points = generator.uniform(-5, 65, (generator.integers(1, 9), 2))
            points = points.tolist() if generator.random() < 0.5 else points.astype(int).tolist()
            shapes.append(dict(label=str(generator.choice(labels)), points=points))
        if number % 3 == 0:
            # Two of the same outline: the first one stays on top.
            shapes += [dict(shapes[0], label='target'), dict(shapes[0], label='ignore')]
        Image.new('RGB', (width, height)).save(folder / f'{number}.jpg')
        (folder / f'{number}.json').write_text(json.dumps(dict(shapes=shapes, text=['x'], is_sentence=True)))
        wanted[f'val-{number}'] = draw_as_published(shapes, height, width)
        values |= set(np.unique(wanted[f'val-{number}']).tolist())
    assert values == {0, 1, 255}
    content, _ = read_content(str(folder), image_folder=str(folder))
    assert len(content.instances['annotations']) == 60
    for one in content.instances['annotations']:
        mask = wanted[one['id']]
        assert (decode_segmentation(one['segmentation'], *mask.shape) == (mask == 1)).all()
        assert ('ignored' in one) == (mask == 255).any()
        if 'ignored' in one:
            assert (decode_segmentation(one['ignored'], *mask.shape) == (mask == 255)).all()


def test_several_targets_are_united(data, made):
    change(data, lambda value: value['shapes'].append(dict(label='target', points=[[0, 0], [3, 0], [3, 3], [0, 3]])))
    name = files_of(data)[1].name
    (_, before), = made[1]['val'][name]
    (_, after), = read(data, 'val', data)[name]
    before, after = (coco_mask.decode(dict(size=[h, w], counts=counts)) for h, w, counts in (before, after))
    assert (after[:4, :4] == 1).all() and (after >= before).all() and after[4:].sum() == before[4:].sum()


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'cp1252'])
def test_encodings(data, encoding):
    path, image = files_of(data)
    value = json.loads(path.read_text())
    value['text'] = ['the café’s sign']
    path.write_bytes(json.dumps(value, ensure_ascii=False).encode(encoding))
    assert {text for text, _ in read(data, 'val', data)[image.name]} == {'the café’s sign'}


def test_an_image_that_is_stored_turned(data, made):
    """Its outlines are of the image as it is looked at."""
    path, image = files_of(data)
    picture = Image.open(image)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(image, exif=exif)
    assert read(data, 'val', data) == made[1]['val']
    problem, = check(data, data).problems
    assert 'set inputs.steps.load_image.upright=True' in problem.message


def test_only_ignored_is_an_empty_mask(data):
    change(data, lambda value: [one.update(label='ignore') for one in value['shapes']])
    problem, = check(data, data).problems
    assert problem.kind == 'empty mask'


@pytest.mark.parametrize('damage, message', [
    (lambda path: path.unlink(), '_o.jpg, the image of ref val-.*, is missing'),
    (lambda path: path.write_bytes(path.read_bytes()[:9]), r'_o.jpg is not an image that Pillow reads.*Fetch it ag'),
])
def test_a_missing_or_broken_image(data, made, damage, message):
    path = files_of(data)[1]
    damage(path)
    with pytest.raises((ValueError, OSError), match=message):
        read(data, 'val', data)
    wanted = {name: counts for name, counts in made[1]['val'].items() if name != path.name}
    assert read(data, 'val', data, bad_data='skip') == wanted


@pytest.mark.parametrize('edit, message', [
    (lambda value: value.pop('shapes'), r'_o.json needs `shapes` and `text`, as ReasonSeg has them, but is'),
    (lambda value: value.update(shapes={}), r'_o.json has shapes=\{\}, but they are a list'),
    (lambda value: value['shapes'][0].pop('label'), 'shape at position 0 is .*, but needs a label and points'),
    (lambda value: value['shapes'][0].update(points=[[1, 2, 3]]), 'shape at position 0 is .*, but needs a label'),
    (lambda value: value['shapes'][0].update(points=[]), 'shape at position 0 is'),
    (lambda value: value['shapes'][0].update(points=[[1, float('nan')]]), 'shape at position 0 is'),
    (lambda value: value['shapes'][0].update(points=[[1, 1e300]]), 'shape at position 0 is'),
    (lambda value: value['shapes'][0].update(points=[[1, 10**400]]), 'shape at position 0 is'),
    (lambda value: value.update(text=[]), 'has no sentence'),
    (lambda value: value.update(text='who is it?'), r"has sentences='who is it\?', but sentences are a list of dicts"),
    (lambda value: value.update(text=[None]), r'is empty \(raw=None\)'),
])
def test_faults_of_a_file(data, edit, message):
    change(data, edit)
    with pytest.raises(ValueError, match=message):
        read(data, 'val', data)


def test_a_truncated_file(data):
    path = sorted((data / 'val').glob('*.json'))[-1]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r'_o.json is not a whole JSON file in UTF-8 or Windows-1252 .*Download it ag'):
        read(data, 'val', data)


def test_what_is_no_folder_of_a_split(data):
    path = files_of(data)[0]
    with pytest.raises(ValueError, match='is the annotation of one image of ReasonSeg. Name the folder that it is in'):
        read(path, 'val', data)
    (data / 'val').rename(data / 'mine')
    with pytest.raises(ValueError, match='mine has images of ReasonSeg, but its name does not tell of which split'):
        read(data / 'mine', 'val', data)


def test_a_split_that_is_not_there(data):
    shutil.rmtree(data / 'val')
    with pytest.raises(ValueError, match="split 'val' is not in .*Splits there: train, test"):
        read(data, 'val', data)


def test_ignored_pixels_reach_the_sample(data, tmp_path):
    """Where there are some, and nowhere else; also from files of the original form."""
    init_default_scope('mmris')
    change(data, lambda value: value['shapes'].append(dict(label='ignore', points=[[1, 1], [6, 1], [6, 6], [1, 6]])))
    content, _ = read_content(str(data), image_folder=str(data))
    (tmp_path / 'instances.json').write_text(json.dumps(content.instances))
    (tmp_path / 'refs.json').write_text(json.dumps([one.ref for one in content.refs]))
    pack = dict(type='PackReferringInputs', masks=['gt_original'])
    for refs_file in (data, tmp_path / 'refs.json'):
        dataset = RefCOCODataset(
            refs_file=str(refs_file), ann_file=str(tmp_path / 'instances.json'), data_prefix=dict(img_path=str(data)),
            split='val', text_field='raw', group_by='image', test_mode=True, pipeline=[dict(type='LoadMasks')])
        samples = [dataset[index] for index in range(len(dataset))]
        one, = (sample for sample in samples if 'gt_ignored' in sample)
        assert len(samples) > 1 and one['gt_ignored'].shape == one['gt_original'].shape
        assert one['gt_ignored'].sum() == 36 and one['gt_ignored'][0, 1:7, 1:7].all()
        assert not (one['gt_ignored'] & one['gt_original']).any()
        others = dict(img=np.zeros((8, 8, 3), np.uint8), token_ids=torch.zeros(1, 2), token_mask=torch.ones(1, 2))
        packed = TRANSFORMS.build(pack)(dict(one, **others))['data_samples']
        assert packed.gt_ignored.dtype == torch.bool and packed.gt_ignored.sum() == 36
        without = next(sample for sample in samples if sample is not one)
        assert 'gt_ignored' not in TRANSFORMS.build(pack)(dict(without, **others))['data_samples']


def test_ignored_pixels_stay_with_their_objects():
    """An image may have objects without any before and after, and objects that are left out."""
    annotations = [dict(segmentation=number, **more) for number, more in enumerate(
        [{}, dict(ignored=dict(counts='0')), dict(ignored=0)])]
    image = dict(objects=[], expressions=[dict(target=target) for target in range(3)])
    for one in annotations:
        referred_images._add_object(image, [one])
    assert image['ignored'] == [[], [dict(counts='0')], []] and image['objects'] == [[0], [1], [2]]
    kept = referred_images._without_targets(image, {0})
    assert kept['ignored'] == [[dict(counts='0')], []] and kept['objects'] == [[1], [2]]


def test_a_number_of_thousands_of_digits(data):
    path, _ = files_of(data)
    path.write_text('{"text": ' + '9' * 5000 + '}')
    with pytest.raises(ValueError, match=f'{path} is not a whole JSON file in UTF-8 or Windows-1252'):
        read(data, 'val', data)
