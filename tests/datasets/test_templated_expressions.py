"""Templated sentences of a detection set, read anew from their words by rules that are written here alone."""

import json
import pickle
import re

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset
from mmris.datasets.set_check import check_set
from mmris.datasets.templated_expressions import write_expressions
from mmris.datasets.templated_expressions.nouns import look_alikes, noun_of
from tests.conftest import run_command

WIDTH, HEIGHT = 320, 240
CATEGORIES = ['dog', 'person', 'cup', 'suitcase', 'zebra', 'skis']
REFS = 'refs(templates).p'


def ellipse(x, y, width, height):
    """A polygon in a box."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([x + width / 2 * (1 + np.cos(angles)), y + height / 2 * (1 + np.sin(angles))], axis=1)
    return [points.round(2).ravel().tolist()]


def rectangle(x, y, width, height):
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def annotate(*objects, shape=rectangle):
    """Annotations of one image, of ``(category, x, y, width, height)`` each; a sixth value tells of a crowd."""
    return [
        dict(category=category, bbox=box[:4], segmentation=shape(*box[:4]), iscrowd=int(bool(box[4:])))
        for category, *box in objects
    ]


def write_detections(path, scenes):
    """Write a file of COCO instances: per scene the annotations of an image."""
    ids = {name: 10 + number for number, name in enumerate(CATEGORIES)}
    images = [dict(id=one, file_name=f'{one}.jpg', width=WIDTH, height=HEIGHT) for one in range(len(scenes))]
    annotations = []
    for image_id, scene in enumerate(scenes):
        for item in scene:
            item = dict(item, id=1000 + len(annotations), image_id=image_id)
            annotations.append(dict(item, category_id=ids[item.pop('category')]))
    categories = [dict(id=one, name=name) for name, one in ids.items()]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return str(path)


def make(folder, scenes, **options):
    """The refs of some scenes."""
    instances = write_detections(folder / 'detections.json', scenes)
    write_expressions(instances, folder / 'set', overwrite=True, **{'sentences_per_object': 20, **options})
    return pickle.loads((folder / 'set' / REFS).read_bytes())


def sentences_of(folder, *objects, **options):
    """Sentences of one image by the position of their object; an empty dict if there are none."""
    scene = annotate(*objects, shape=options.pop('shape', rectangle))
    instances = write_detections(folder / 'detections.json', [scene])
    try:
        content = write_expressions(
            instances, folder / 'set', overwrite=True, **{'sentences_per_object': 20, **options})
    except ValueError as error:
        assert 'no sentence fits any of its objects alone' in str(error)
        return {}
    assert content['summary']['objects'] == len(objects)
    refs = pickle.loads((folder / 'set' / REFS).read_bytes())
    return {ref['ann_id'] - 1000: {sentence['sent'] for sentence in ref['sentences']} for ref in refs}


# --- What a sentence means, from its words and the annotated boxes. ---


class Item:

    def __init__(self, annotation, names):
        self.id, self.category = annotation['id'], names[annotation['category_id']]
        x, y, width, height = annotation['bbox']
        self.box = x, y, x + width, y + height
        self.x, self.y = x + width / 2, y + height / 2
        rles = coco_mask.frPyObjects(annotation['segmentation'], HEIGHT, WIDTH)
        self.area = int(coco_mask.decode(coco_mask.merge(rles)).sum())

    def distance(self, other):
        across = max(self.box[0], other.box[0]) - min(self.box[2], other.box[2])
        down = max(self.box[1], other.box[1]) - min(self.box[3], other.box[3])
        return np.hypot(max(across, 0), max(down, 0))


def best(items, measure, margin):
    """The item of the highest measure; none if another comes near."""
    ranked = sorted(items, key=measure, reverse=True)
    return ranked[:1] if len(ranked) == 1 or measure(ranked[0]) - measure(ranked[1]) >= margin else []


def toward(side):
    return {'left': lambda item: -item.x, 'right': lambda item: item.x, 'upper': lambda item: -item.y,
            'lower': lambda item: item.y}[side]


def place(kind, side, items):
    if kind == 'most':
        return best(items, toward(side), 0.06 * (WIDTH if side in ('left', 'right') else HEIGHT))
    ranked = sorted(items, key=toward(side), reverse=True)
    gaps = np.abs(np.diff([item.x for item in ranked]))
    assert (gaps[:2] >= 0.06 * WIDTH).all(), 'too close to count'
    return ranked[1:2]


def in_half(side, items):
    middle = WIDTH / 2
    return [item for item in items if (item.x < middle if side == 'left' else item.x > middle)]


def by_size(word, items):
    sign = 1 if word in ('larger', 'largest') else -1
    return best(items, lambda item: sign * np.log(item.area), np.log(2))


def related(kind, items, landmark):
    if kind in ('next to', 'beside'):
        return [item for item in items if item.distance(landmark) < 0.1 * WIDTH]
    side = -1 if 'left' in kind else 1
    return [item for item in items if side * (item.x - landmark.x) > 0]


def evaluate(text, items):
    """The items that a sentence fits, and the skills that its words need."""

    def named(noun):
        return [item for item in items if item.category == noun]

    text = text.removeprefix('the ')
    relation = re.fullmatch(r'(\w+) (next to|beside|(?:to the )?(?:left|right) of) the (\w+)', text)
    if relation:
        landmark, = named(relation[3])
        return related(relation[2], named(relation[1]), landmark), ['category', 'relation']
    most = re.fullmatch(r'(left|right)most (\w+)|(\w+) farthest to the (left|right)', text)
    if most:
        found = named(most[2] or most[3])
        assert len(found) > 2
        return place('most', most[1] or most[4], found), ['category', 'place']
    second = re.fullmatch(r'second (\w+) from the (left|right)', text)
    if second:
        found = named(second[1])
        assert len(found) > 3
        return place('second', second[2], found), ['category', 'place']
    middle = re.fullmatch(r'middle (\w+)|(\w+) in the middle', text)
    if middle:
        found = named(middle[1] or middle[2])
        assert len(found) == 3
        return place('second', 'left', found), ['category', 'place']
    half = re.fullmatch(r'(\w+) on the (left|right)(?: side of the picture)?', text)
    if half:
        return in_half(half[2], named(half[1])), ['category', 'place']
    size = re.fullmatch(r'(larger|largest|smaller|smallest) (\w+)', text)
    if size:
        found = named(size[2])
        assert (len(found) == 2) == size[1].endswith('er')
        return by_size(size[1], found), ['category', 'size']
    side = re.fullmatch(r'(left|right|upper|lower) (\w+)', text)
    if side:
        found = named(side[2])
        assert len(found) == 2
        return place('most', side[1], found), ['category', 'place']
    return named(text), ['category']


def random_scene(generator):
    if generator.random() < 0.1:
        # A row, which chance hardly makes.
        count, top = int(generator.integers(3, 6)), int(generator.integers(10, 140))
        row = [('dog', 10 + 60 * number, top + int(generator.integers(10)), 35, 60) for number in range(count)]
        return annotate(*row)
    objects = []
    for _ in range(generator.integers(1, 7)):
        category = CATEGORIES[generator.choice(5, p=[.4, .25, .15, .1, .1])]
        width, height = generator.integers(15, 90, 2).tolist()
        x, y = int(generator.integers(0, WIDTH - width)), int(generator.integers(0, HEIGHT - height))
        if generator.random() < 0.5:  # beside the last one, as relations need it
            x = min(x, WIDTH - width) if not objects else min(objects[-1][1] + objects[-1][3] + 6, WIDTH - width)
            y = y if not objects else min(objects[-1][2], HEIGHT - height)
        crowd = [True] if generator.random() < 0.04 else []
        objects.append((category, x, y, width, height, *crowd))
    return annotate(*objects, shape=rectangle if generator.random() < 0.5 else ellipse)


@pytest.fixture(scope='module')
def random_set(tmp_path_factory):
    generator = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp('random')
    refs = make(folder, [random_scene(generator) for _ in range(2000)])
    return json.loads((folder / 'set' / 'instances.json').read_text()), refs


def test_each_sentence_fits_its_object_alone(random_set):
    instances, refs = random_set
    names = {category['id']: category['name'] for category in instances['categories']}
    by_image, crowds = {}, set()
    for annotation in instances['annotations']:
        if annotation['iscrowd']:
            crowds.add((annotation['image_id'], names[annotation['category_id']]))
        else:
            by_image.setdefault(annotation['image_id'], []).append(Item(annotation, names))
    kinds = set()
    for ref in refs:
        for sentence in ref['sentences']:
            fitting, skills = evaluate(sentence['sent'], by_image[ref['image_id']])
            assert [item.id for item in fitting] == [ref['ann_id']], (sentence['sent'], ref['image_id'])
            assert sentence['skills'] == skills, sentence
            assert not any((ref['image_id'], word) in crowds for word in sentence['tokens']), sentence
            kinds.add(re.sub('|'.join(CATEGORIES), 'X', sentence['sent']))
    # Each template is used, in each direction.
    for words in ('the X', 'the left X', 'right X', 'the upper X', 'lower X', 'the leftmost X',
                  'X farthest to the right', 'the X on the left', 'X on the right side of the picture',
                  'the second X from the right', 'second X from the left', 'the middle X', 'the X in the middle',
                  'the larger X', 'smaller X', 'the largest X', 'smallest X',
                  'the X next to the X', 'X beside the X', 'the X to the left of the X', 'X right of the X'):
        assert words in kinds, words


class TestRules:

    @pytest.mark.parametrize('shape', [rectangle, ellipse])
    def test_one_of_its_category(self, tmp_path, shape):
        found = sentences_of(tmp_path, ('dog', 40, 40, 80, 80), ('cup', 200, 40, 60, 60), shape=shape)
        assert found == {0: {'the dog'}, 1: {'the cup'}}

    def test_two_side_by_side(self, tmp_path):
        found = sentences_of(tmp_path, ('dog', 30, 80, 60, 60), ('dog', 220, 80, 60, 60))
        ways = ('the {} dog', '{} dog', 'the dog on the {}', 'dog on the {} side of the picture')
        assert found == {number: {way.format(side) for way in ways} for number, side in enumerate(('left', 'right'))}

    def test_two_in_one_half_are_not_told_by_halves(self, tmp_path):
        found = sentences_of(tmp_path, ('dog', 10, 80, 50, 50), ('dog', 90, 80, 50, 50))
        assert found == {0: {'the left dog', 'left dog'}, 1: {'the right dog', 'right dog'}}

    def test_three_in_a_row(self, tmp_path):
        found = sentences_of(tmp_path, ('dog', 20, 80, 50, 60), ('dog', 130, 85, 50, 60), ('dog', 240, 78, 50, 60))
        assert found[1] == {'the middle dog', 'the dog in the middle'}
        assert {'the leftmost dog', 'dog farthest to the left'} <= found[0]
        assert not any(' left dog' in f' {sentence}' for sentence in found[0])

    def test_four_in_a_row(self, tmp_path):
        found = sentences_of(tmp_path, *(('dog', 10 + 80 * number, 80, 40, 60) for number in range(4)))
        assert found[1] == {'the second dog from the left', 'second dog from the left'}
        assert found[2] == {'the second dog from the right', 'second dog from the right'}

    def test_three_that_are_no_row_have_no_middle(self, tmp_path):
        found = sentences_of(tmp_path, ('dog', 20, 10, 50, 50), ('dog', 130, 170, 50, 50), ('dog', 240, 10, 50, 50))
        assert 1 not in found

    def test_one_above_the_other(self, tmp_path):
        found = sentences_of(tmp_path, ('cup', 100, 10, 60, 60), ('cup', 104, 150, 60, 60))
        assert found == {0: {'the upper cup', 'upper cup'}, 1: {'the lower cup', 'lower cup'}}

    @pytest.mark.parametrize('objects', [
        [('dog', 100, 80, 60, 60), ('dog', 115, 90, 60, 60)],
        [('dog', 100, 20, 60, 60), ('dog', 112, 85, 60, 60), ('dog', 104, 150, 60, 60)],
        [('dog', 20, 80, 60, 60), ('dog', 95, 80, 60, 60), ('dog', 100, 150, 60, 60), ('dog', 96, 15, 60, 60)][1:],
    ], ids=['almost the same place', 'a stack', 'a column'])
    def test_places_that_are_not_clear(self, tmp_path, objects):
        assert sentences_of(tmp_path, *objects) == {}

    def test_margins_of_places(self, tmp_path):
        # Of the image's width, and of the wider object's.
        narrow = ('dog', 100, 80, 10, 14)
        assert sentences_of(tmp_path, narrow, ('dog', 119, 80, 10, 14), min_area=0.0) == {}
        assert 'the left dog' in sentences_of(tmp_path, narrow, ('dog', 126, 80, 10, 14), min_area=0.0)[0]
        wide = ('dog', 100, 100, 100, 20)
        assert sentences_of(tmp_path, wide, ('dog', 180, 126, 22, 22), min_area=0.0).keys() <= {0}
        assert 'the left dog' not in sentences_of(tmp_path, wide, ('dog', 180, 126, 22, 22), min_area=0.0).get(0, ())
        assert 'the left dog' in sentences_of(tmp_path, wide, ('dog', 212, 126, 22, 22), min_area=0.0)[0]

    def test_sizes(self, tmp_path):
        found = sentences_of(tmp_path, ('cup', 140, 20, 90, 90), ('cup', 150, 135, 40, 40))
        assert {'the larger cup', 'larger cup'} <= found[0]
        found = sentences_of(tmp_path, ('cup', 10, 20, 90, 90), ('cup', 120, 30, 40, 40), ('cup', 200, 30, 100, 100))
        assert not any('larg' in sentence for sentences in found.values() for sentence in sentences)
        assert {'the smallest cup', 'smallest cup'} <= found[1]

    @pytest.mark.parametrize('small', [('cup', 0, 40, 50, 50), ('cup', 20, 40, 68, 68)],
                             ids=['cut off by the border', 'almost as large'])
    def test_sizes_that_are_not_clear(self, tmp_path, small):
        found = sentences_of(tmp_path, small, ('cup', 180, 30, 95, 95))
        assert not any(re.search('large|small', sentence) for sentences in found.values() for sentence in sentences)

    def test_next_to(self, tmp_path):
        near, landmark, far = ('dog', 20, 90, 60, 70), ('person', 85, 80, 50, 80), ('dog', 230, 90, 60, 70)
        found = sentences_of(tmp_path, near, landmark, far)
        assert {'the dog next to the person', 'dog beside the person', 'the dog to the left of the person',
                'dog left of the person'} <= found[0]
        assert not any('next to' in sentence or 'beside' in sentence for sentence in found[2])

    @pytest.mark.parametrize('other', [
        ('dog', 145, 90, 60, 70),
        ('person', 230, 80, 50, 80),
        ('person', 250, 20, 30, 30, True),
    ], ids=['a third candidate', 'two landmarks', 'a crowd of landmarks'])
    def test_next_to_what_is_not_clear(self, tmp_path, other):
        objects = ('dog', 20, 90, 60, 70), ('person', 85, 80, 50, 80), ('dog', 250, 180, 50, 50), other
        found = sentences_of(tmp_path, *objects)
        assert not any('next to' in sentence or 'beside' in sentence for one in found.values() for sentence in one)

    def test_a_rider_is_not_next_to_what_it_sits_on(self, tmp_path):
        rider, zebra, other = ('person', 60, 40, 50, 70), ('zebra', 40, 90, 100, 80), ('person', 240, 90, 50, 70)
        found = sentences_of(tmp_path, rider, zebra, other)
        assert found
        assert not any('zebra' in sentence for number in (0, 2) for sentence in found.get(number, ()))


class TestWhatIsLeftOut:

    @pytest.mark.parametrize('objects, reason', [
        ([('dog', 30, 30, 60, 60), ('dog', 200, 30, 80, 80, True)], 'a crowd of its category is in the image'),
        ([('skis', 30, 30, 60, 60)], 'its category is left out'),
        ([('dog', 30, 30, 20, 20)], 'is tiny'),
        ([('dog', 0, 30, 40, 40)], 'is small and cut off by the border'),
        ([('dog', 15 + 44 * number, 90, 30, 60) for number in range(7)], 'too many of its category are in the image'),
        ([('dog', 30, 30, 60, 60), ('dog', 34, 34, 50, 50)], 'masks coincide: annotated twice'),
        ([('dog', 30, 30, 60, 60), ('zebra', 32, 32, 60, 60)], 'masks coincide: annotated twice'),
        ([('dog', 30, 60, 60, 60), ('dog', 91, 60, 60, 60)], 'may be a part of another of its category'),
        ([('dog', 20, 60, 60, 60), ('person', 80, 20, 80, 140), ('dog', 160, 60, 60, 60)],
         'may be a part of another of its category'),
        ([('dog', 30, 60, 100, 100), ('cup', 50, 80, 60, 60)], 'its mask covers another object'),
        ([('dog', 140, 100, 40, 40), *(('zebra', 2 * number, 2, 1, 1) for number in range(15))],
         'is small in a busy image'),
    ])
    def test_reasons(self, tmp_path, objects, reason):
        # A lone zebra in a second image keeps the set from being empty.
        objects = annotate(*objects)
        instances = write_detections(tmp_path / 'detections.json', [objects, annotate(('zebra', 60, 60, 120, 90))])
        content = write_expressions(instances, tmp_path / 'set')
        assert content['summary']['left_out'][reason] >= 1
        refs = pickle.loads((tmp_path / 'set' / REFS).read_bytes())
        named = {ref['ann_id'] for ref in refs if ref['image_id'] == 0}
        assert not named & {1000 + number for number, one in enumerate(objects) if one['category'] in ('dog', 'skis')}

    def test_all_objects_are_counted(self, random_set, tmp_path):
        generator = np.random.default_rng(6)
        scenes = [random_scene(generator) for _ in range(40)]
        content = write_expressions(write_detections(tmp_path / 'detections.json', scenes), tmp_path / 'set')
        summary = content['summary']
        told = sum(split['refs'] for split in summary['splits'].values())
        assert told + sum(summary['left_out'].values()) == summary['objects'] == sum(map(len, scenes))

    @pytest.mark.parametrize('name, noun', [
        ('dog', 'dog'), ('Fire_Hydrant', 'fire hydrant'), ('bow (weapon)', 'bow'), ('wine glass', 'wine glass'),
        ('bus', 'bus'), ('scissors', 'pair of scissors'), ('glasses', None), ('skis', None),
        ('broccoli', None), ('собака', None), ('', None), ('hair drier', 'hair dryer'),
    ])
    def test_nouns(self, name, noun):
        assert noun_of(name) == noun

    def test_look_alikes(self):
        assert look_alikes('car', {'truck', 'dog'}) == {'truck'}
        assert look_alikes('bear', {'teddy bear'}) == {'teddy bear'} and not look_alikes('teddy bear', {'dog'})

    def test_nouns_of_the_user(self, tmp_path):
        found = sentences_of(tmp_path, ('dog', 40, 40, 80, 80), ('skis', 200, 40, 60, 60), nouns={
            'dog': None, 'skis': 'pair of skis'})
        assert found == {1: {'the pair of skis'}}


class TestFiles:

    def scenes(self):
        generator = np.random.default_rng(7)
        return [random_scene(generator) for _ in range(60)]

    def test_the_same_bytes(self, tmp_path):
        for name in ('one', 'two'):
            (tmp_path / name).mkdir()
            make(tmp_path / name, self.scenes(), sentences_per_object=2)
        for name in ('instances.json', REFS, 'expressions.json'):
            assert (tmp_path / 'one/set' / name).read_bytes() == (tmp_path / 'two/set' / name).read_bytes()

    def test_other_images_change_nothing(self, tmp_path):
        scenes = self.scenes()

        def about(refs):
            return {ref['image_id']: (ref['split'], [one['sent'] for one in ref['sentences']])
                    for ref in refs if ref['image_id'] < 30}

        more = make(tmp_path, scenes, sentences_per_object=2, val_share=0.4)
        assert about(make(tmp_path, scenes[:30], sentences_per_object=2, val_share=0.4)) == about(more)
        assert {ref['split'] for ref in more} == {'train', 'val'}
        # Shares change no sentence, and another seed changes some.
        less = make(tmp_path, scenes, sentences_per_object=2, val_share=0.0, test_share=0.3)
        assert [ref['sentences'] for ref in less] == [ref['sentences'] for ref in more]
        other = make(tmp_path, scenes, sentences_per_object=2, seed=1)
        assert [ref['sentences'] for ref in other] != [ref['sentences'] for ref in more]

    def test_splits_share_no_image(self, tmp_path):
        refs = make(tmp_path, self.scenes(), val_share=0.3, test_share=0.3)
        images = [{ref['image_id'] for ref in refs if ref['split'] == split} for split in ('train', 'val', 'test')]
        assert all(images) and not (images[0] & images[1] | images[0] & images[2] | images[1] & images[2])

    def test_the_data_set_reads_the_folder(self, tmp_path):
        refs = make(tmp_path, self.scenes(), val_share=0.4, sentences_per_object=3)
        folder = tmp_path / 'set'
        (folder / 'images').mkdir()
        instances = json.loads((folder / 'instances.json').read_text())
        for image in instances['images']:
            pixels = np.full((HEIGHT, WIDTH, 3), image['id'] % 256, np.uint8)
            cv2.imwrite(str(folder / 'images' / image['file_name']), pixels)
        assert {image['id'] for image in instances['images']} == {ref['image_id'] for ref in refs}
        report = check_set(
            instances_path=str(folder / 'instances.json'), refs_path=str(folder / REFS),
            image_folder=str(folder / 'images'), decode=True)
        assert report.is_fine and not report.problems and not report.notes
        dataset = RefCOCODataset(
            split='val', refs_file=REFS, data_root=str(folder), data_prefix=dict(img_path='images'), pipeline=[],
            group_by='expression')
        wanted = [sentence for ref in refs if ref['split'] == 'val' for sentence in ref['sentences']]
        assert len(dataset) == len(wanted) > 0
        samples = [dataset.get_data_info(number) for number in range(len(dataset))]
        found = {(sample['text'][0], *sample['skills'][0]) for sample in samples}
        assert found == {(sentence['sent'], *sentence['skills']) for sentence in wanted}

    def test_numbers(self, tmp_path):
        refs = make(tmp_path, self.scenes(), sentences_per_object=2)
        sentences = [sentence for ref in refs for sentence in ref['sentences']]
        assert [ref['ref_id'] for ref in refs] == list(range(len(refs)))
        assert [sentence['sent_id'] for sentence in sentences] == list(range(len(sentences)))
        for ref in refs:
            assert ref['sent_ids'] == [sentence['sent_id'] for sentence in ref['sentences']]
            assert 1 <= len({sentence['sent'] for sentence in ref['sentences']}) == len(ref['sentences']) <= 2
        assert all(one['tokens'] == one['sent'].split() and one['raw'] == one['sent'] for one in sentences)
        assert (tmp_path / 'set' / REFS).read_bytes()[:2] == b'\x80\x02'

    def test_ids_as_text_and_run_lengths(self, tmp_path):
        path = tmp_path / 'detections.json'
        write_detections(path, [annotate(('dog', 40, 40, 80, 80))])
        content = json.loads(path.read_text())
        mask = np.zeros((HEIGHT, WIDTH), np.uint8, order='F')
        mask[40:120, 40:120] = 1
        counts = coco_mask.encode(mask)['counts'].decode()
        content['annotations'][0].update(
            id='a', image_id='0', category_id='10', segmentation=dict(size=[HEIGHT, WIDTH], counts=counts))
        path.write_text(json.dumps(content))
        write_expressions(str(path), tmp_path / 'set')
        ref, = pickle.loads((tmp_path / 'set' / REFS).read_bytes())
        assert (ref['ann_id'], ref['image_id'], ref['category_id']) == ('a', 0, 10)
        assert ref['sentences'][0]['sent'] == 'the dog'


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


class TestErrors:

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / 'detections.json'
        write_detections(path, [annotate(('dog', 40, 40, 80, 80), ('cup', 200, 40, 60, 60))])
        return path

    @pytest.mark.parametrize('edit, message', [
        (lambda content: content.pop('categories'),
         r'is not a file of COCO instances: .* has no list of `categories`\. Use the instances file'),
        (lambda content: content['annotations'][0].update(category_id=99),
         r'annotation 1000 has category_id=99, which `categories` does not have\. Add the entry, or remove'),
        (lambda content: content['annotations'][1].pop('image_id'), 'annotation 1001 has image_id=None, which `image'),
        (lambda content: content['images'][0].pop('height'), 'position 0 of `images` lacks height'),
        (lambda content: content['annotations'][1].update(id=1000),
         'two different entries of `annotations` have id 1000'),
        (lambda content: content['categories'][2].update(name=7),
         r'the entry at position 2 of `categories` is .*, but needs an id of its own and a name, such as'),
        (lambda content: content['categories'][1].update(id=10), 'the entry at position 1 of `categories`'),
        (lambda content: content['annotations'][0].update(segmentation=[]),
         r'the mask of annotation 1000 on 0\.jpg is malformed: .* but this list is empty\. Repair'),
        (lambda content: content['annotations'][0].pop('segmentation'), 'annotation 1000 on 0.jpg is malformed'),
        (lambda content: content['annotations'].clear(), 'no sentence fits any of its objects.*the file has none'),
    ])
    def test_malformed_files(self, path, tmp_path, edit, message):
        change(path, edit)
        with pytest.raises(ValueError, match=message):
            write_expressions(str(path), tmp_path / 'set')
        assert not (tmp_path / 'set').exists() and not list(tmp_path.glob('.set*'))

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'none\.json \(COCO instances\) is missing\. Name the'):
            write_expressions(str(tmp_path / 'none.json'), tmp_path / 'set')

    def test_malformed_masks_can_be_skipped(self, path, tmp_path, capsys):
        change(path, lambda content: content['annotations'][0].update(segmentation=[]))
        content = write_expressions(str(path), tmp_path / 'set', bad_data='skip')
        assert content['summary']['bad_data'] == 1
        assert content['summary']['left_out']['an object of its category has no mask'] == 1
        assert '1 skipped: malformed mask; the first: ' in capsys.readouterr().err
        ref, = pickle.loads((tmp_path / 'set' / REFS).read_bytes())
        assert ref['ann_id'] == 1001

    @pytest.mark.parametrize('options, message', [
        (dict(seed=-1), 'seed must be an integer of at least 0, but got -1'),
        (dict(sentences_per_object=0), 'sentences_per_object must be an integer of at least 1'),
        (dict(min_area=1), r'min_area is a share of the image in \[0, 1\), but got 1'),
        (dict(val_share=0.7, test_share=0.7), 'together no more than 1, but got 0.7 and 0.7'),
        (dict(bad_data='ignore'), "bad_data must be 'raise' or 'skip'"),
        (dict(nouns={'dgo': 'dog'}), "nouns: 'dgo' is no category of .*Categories there: cup, dog"),
        (dict(nouns={'dog': 5}), "the noun of 'dog' must be text without spaces at its ends, or null .* but got 5"),
    ])
    def test_arguments(self, path, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            write_expressions(str(path), tmp_path / 'set', **options)

    def test_folders_in_use(self, path, tmp_path):
        write_expressions(str(path), tmp_path / 'set')
        with pytest.raises(FileExistsError, match='already holds a set of this tool.*--overwrite'):
            write_expressions(str(path), tmp_path / 'set')
        write_expressions(str(path), tmp_path / 'set', overwrite=True, seed=3)
        assert json.loads((tmp_path / 'set' / 'expressions.json').read_text())['settings']['seed'] == 3
        with pytest.raises(FileExistsError, match='holds something other than a set of this tool'):
            write_expressions(str(path), tmp_path, overwrite=True)


class TestTool:

    def test_report(self, tmp_path, capsys):
        scene = annotate(('dog', 30, 80, 60, 60), ('dog', 220, 80, 60, 60), ('skis', 130, 10, 50, 50))
        instances = write_detections(tmp_path / 'detections.json', [scene])
        run_command('make_expressions', instances, '--out', str(tmp_path / 'set'), '--sentences-per-object', '1')
        output = capsys.readouterr().out
        assert output.startswith('Objects with sentences: 2 of 3. Images: 1.')
        assert re.search(r'\| train +\| +1 \| +2 \| +2 \| +2 \| +2 \| +0 \| +0 \|', output)
        assert re.search(r'\| its category is left out +\| +1 \|', output)
        assert 'Categories left out: skis. The name is no English singular, or ' in output
        assert 'Split val has no image: the set is small. Raise --val-share' in output

    def test_nouns(self, tmp_path):
        instances = write_detections(tmp_path / 'detections.json', [annotate(('skis', 30, 80, 60, 60))])
        (tmp_path / 'nouns.json').write_text('{"skis": "pair of skis"}')
        run_command('make_expressions', instances, '--out', tmp_path / 'set', '--nouns', tmp_path / 'nouns.json')
        ref, = pickle.loads((tmp_path / 'set' / REFS).read_bytes())
        assert ref['sentences'][0]['sent'] == 'the pair of skis'
        (tmp_path / 'nouns.json').write_text('["skis"]')
        with pytest.raises(ValueError, match='but nouns are a dict, such as'):
            run_command('make_expressions', instances, '--out', tmp_path / 'two', '--nouns', tmp_path / 'nouns.json')
