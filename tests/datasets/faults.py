"""Sets with faults: what can be wrong with an entry of one, and what is lost with it."""

import copy
import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Set, Tuple

import numpy as np
from PIL import Image

from tests.conftest import square, write_set

# What a fault costs when bad data is skipped.
IMAGE, REF, SENTENCE, NOTHING = 'image', 'ref', 'sentence', 'nothing'


@dataclass
class FaultySet:
    """A set of 6 images with 3 refs of 2 sentences each, before it is written.

    Attributes:
        refs (list): The refs file.
        instances (dict): The annotation file.
        folder (Path): Where it lies; image files are there already.
    """

    refs: list
    instances: dict
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> 'FaultySet':
        write_set(folder, images=6, refs_per_image=3, sentences=2)
        return cls(
            pickle.loads((folder / 'refs(unc).p').read_bytes()), json.loads((folder / 'instances.json').read_text()),
            folder)

    def write(self) -> Path:
        (self.folder / 'refs(unc).p').write_bytes(pickle.dumps(self.refs))
        (self.folder / 'instances.json').write_text(json.dumps(self.instances))
        return self.folder

    def annotation(self, number: int) -> dict:
        return self.instances['annotations'][number]

    def image(self, number: int) -> dict:
        return self.instances['images'][number // 3]

    def path(self, number: int) -> Path:
        return self.folder / 'images' / f'COCO_train2014_{number // 3 + 1:012d}.jpg'


@dataclass(frozen=True)
class Fault:
    """Something wrong with the entries of one ref.

    Attributes:
        costs (str): What is left out with ``bad_data='skip'``.
        kind (str): What it is called; empty if it is no fault at all.
        message (str): Part of what is said about it.
        apply (Callable): Changes a set: takes it and the ref's number.
        refused (str): When ``bad_data='raise'`` refuses it: 'load', 'access', or 'never'.
    """

    costs: str
    kind: str
    message: str
    apply: Callable[[FaultySet, int], object]
    refused: str = 'load'

    def survivors(self, number: int) -> Set[Tuple[int, int]]:
        """Ids of ref and sentence of what is left of a ref's image."""
        refs = range(number - number % 3, number - number % 3 + 3)
        lost = dict(
            image={(ref, one) for ref in refs for one in (0, 1)},
            ref={(number, 0), (number, 1)},
            sentence={(number, 0)},
            nothing=set())[self.costs]
        return {(ref + 1, 1000 + 2 * ref + one) for ref in refs for one in (0, 1) if (ref, one) not in lost}


def every_pair(numbers: List[int]) -> Set[Tuple[int, int]]:
    """Ids of ref and sentence of a set without fault, for the images of these refs."""
    return {pair for number in numbers for pair in Fault(NOTHING, '', '', lambda *_: None).survivors(number)}


def mask(segmentation, message: str, kind: str = 'malformed mask', **options) -> Fault:
    """A fault of a segmentation."""
    return Fault(REF, kind, message, lambda one, number: one.annotation(number).update(
        segmentation=copy.deepcopy(segmentation)), **options)


def sentence(message: str, kind: str = 'malformed entry', **change) -> Fault:
    """A fault of the first sentence of a ref."""
    return Fault(SENTENCE, kind, message, lambda one, number: one.refs[number]['sentences'][0].update(change))


def ref(message: str, kind: str = 'malformed entry', **change) -> Fault:
    """A fault of a ref."""
    return Fault(REF, kind, message, lambda one, number: one.refs[number].update(change))


def image(message: str, kind: str = 'malformed entry', **change) -> Fault:
    """A fault of an image's entry."""
    return Fault(IMAGE, kind, message, lambda one, number: one.image(number).update(change))


def harmless(apply: Callable) -> Fault:
    """An oddity that costs nothing."""
    return Fault(NOTHING, '', '', apply, 'never')


def _short_rle(one: FaultySet, number: int) -> dict:
    return dict(size=[one.image(number)['height'], one.image(number)['width']], counts=[5, 7])


def _whole_rle(one: FaultySet, number: int) -> dict:
    entry = one.image(number)
    rest = entry['height'] * entry['width'] - 12
    return dict(size=[float(entry['height']), entry['width']], counts=[5.0, 7, rest])


def _cut(one: FaultySet, number: int) -> None:
    path = one.path(number)
    path.write_bytes(path.read_bytes()[:-400])


def _resize(one: FaultySet, number: int) -> None:
    content = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(content, 'JPEG')
    one.path(number).write_bytes(content.getvalue())


def _repeat_pair(one: FaultySet, number: int) -> None:
    # The good one comes first.
    one.refs[number]['sentences'].append(dict(one.refs[number]['sentences'][1]))


FAULTS: Dict[str, Fault] = {
    # Segmentations.
    'no segmentation': Fault(REF, 'no segmentation', 'has no segmentation', lambda one, number: one.annotation(
        number).pop('segmentation')),
    'empty segmentation': mask([], 'is empty: the segmentation of annotation', 'empty mask'),
    'a text in place of a mask': mask('polygon', 'a segmentation is a list of polygons or an RLE dict, but this is'),
    'a file in place of a mask': mask('masks/1.png', "this is the path of a mask file, 'masks/1.png'. `mmris "
                                      'convert_dataset csv` makes REFER files of a CSV with'),
    'two points alone': mask([[1, 2, 3, 4]], 'a polygon needs three or more points, but this has 2'),
    'a flat polygon': mask([1, 1, 5, 1, 5, 5],
                           'without the outer list: write [[1, 1, 5, 1, 5, 5]]'),
    'points as pairs': mask([[[1, 1], [5, 1], [5, 5]]], 'a polygon is a list of x, y pairs'),
    'an odd number': mask([[1, 1, 5, 1, 5, 5, 3]], 'a polygon is a list of x, y pairs'),
    'no number': mask([[1, 1, 5, 1, 5, float('nan')]], 'a polygon is a list of x, y pairs'),
    'a text': mask([[1, 1, 5, 1, 5, '5']], 'a polygon is a list of x, y pairs'),
    'far away': mask([[0, 0, 1e8, 0, 1e8, 1e8]], 'a polygon reaches to x = 1e+08, but the image is'),
    'far above': mask([[0, 0, 9, -1e300, 9, 9]], 'a polygon reaches to y = -1e+300, but the image is'),
    'further out than the image is wide': mask([[0, 0, 125, 0, 125, 9]], 'a polygon reaches to x = 125, but the image'),
    'a scribble': mask([[-30, -30, 60, 60] * 5000], 'its outlines are 900,000 pixels long'),
    'RLE of another size': mask(dict(size=[3, 4], counts=[12]), 'its size is 3 x 4'),
    'RLE of letters': mask([dict(size=['a', 2], counts='é')], "its size is 'a' x 2"),
    'RLE of a wrong sum': Fault(REF, 'malformed mask', 'needs counts of that sum, not 12', lambda one, number: one.
                                annotation(number).update(segmentation=[_short_rle(one, number)])),
    'beside the image': mask([square(-20, 0, 9)], 'covers no pixel', 'empty mask', refused='access'),
    # Annotations.
    'no annotation': ref('which', 'missing annotation', ann_id=99999),
    'an annotation of no such name': ref('The ids there are like 101 (a number), and this one is \'a\' (text)',
                                         'missing annotation', ann_id='a'),
    'an annotation twice': Fault(REF, 'duplicate id', 'two different entries of `annotations` have id', lambda one,
                                 number: one.instances['annotations'].append(dict(one.annotation(number), area=7))),
    'an annotation of another image': Fault(REF, 'annotation of another image', 'instead of', lambda one, number: one.
                                            annotation(number).update(image_id=77)),
    # Refs.
    'no dict': Fault(REF, 'malformed entry', 'lacks ref_id, ann_id', lambda one, number: one.refs.__setitem__(
        number, 'a ref')),
    'a key less': Fault(REF, 'malformed entry', 'lacks ann_id', lambda one, number: one.refs[number].pop('ann_id')),
    'an id that is none': ref('has ref_id=[2], but ids are whole numbers or text', ref_id=[2]),
    'an id that is true': ref('has ann_id=True, but ids are whole numbers or text', ann_id=True),
    'half an id': ref('has image_id=1.5, but ids are whole numbers or text', image_id=1.5),
    'an id without bound': ref('has ref_id=an integer of', ref_id=10**5000),
    'an id in depth': ref('has ann_id=[[', ann_id=[[[[[[1]]]]]]),
    'no annotation named': ref('has ann_id=None: it names no annotation. If nothing in the image fits the sentence, '
                               'write []', ann_id=None),
    'a target and none': ref('has ann_id=[101, -1], but -1 says that nothing in the image fits the sentence, and 101 '
                             'names an annotation that does. Remove one of them', ann_id=[101, -1]),
    'a target of no target': ref('and no_target=True, which says that nothing in the image fits', no_target=True),
    'a target of source zero': ref("and source='zero', which says that nothing in the image fits", source='zero'),
    'no target where there is one': ref('has ann_id=[-1] and no_target=False, which says that something', ann_id=[-1],
                                        no_target=False),
    'no sentence': ref('has no sentence', sentences=[]),
    'a text as sentences': ref("has sentences='the man', but sentences are a list of dicts: {", sentences='the man'),
    'no image': ref('which', 'missing image', image_id=99999),
    # Sentences.
    'an empty sentence': sentence('is empty', 'empty sentence', sent=' '),
    'a sentence of another field': Fault(SENTENCE, 'empty sentence', "has no `sent`, only `raw`. Set text_field='raw'",
                                         lambda one, number: one.
                                         refs[number]['sentences'][0].pop('sent')),
    'a sentence id that is none': sentence('has sent_id=None', sent_id=None),
    'a skill as a text': sentence("has skills='colour', but skills are a list of names", skills='colour'),
    'a skill as a path': sentence("has skills=['a/mIoU'], but skills are a list of names without", skills=['a/mIoU']),
    'a skill that is no name': sentence('has skills=[{}]', skills=[{}]),
    'a sentence as a text': Fault(
        SENTENCE, 'malformed entry', 'is the text \'the man\', but a sentence is a dict: {"sent_id": 0, "sent": ',
        lambda one, number: one.refs[number]['sentences'].__setitem__(0, 'the man')),
    # Images.
    'an image without its size': Fault(IMAGE, 'malformed entry', 'lacks height', lambda one, number: one.image(
        number).pop('height')),
    'an image without a pixel': image('height=0', height=0),
    'an image of half pixels': image('width=30.5', width=30.5),
    'an image as large as a town': image('more than 178 million pixels', height=10**9, width=10**9),
    'an image without a file name': image('file_name=None', file_name=None),
    'an image twice': Fault(IMAGE, 'duplicate id', 'two different entries of `images` have id', lambda one, number: one
                            .instances['images'].append(dict(one.image(number), license=9))),
    'no file': Fault(IMAGE, 'missing image file', 'is missing', lambda one, number: one.path(number).unlink()),
    'half a file': Fault(IMAGE, 'broken image file', 'is not a whole image file', _cut, 'access'),
    'a file of another size': Fault(IMAGE, 'broken image file', 'is 20 x 30 pixels', _resize, 'access'),
    'an address': image('but images are files below data_prefix.img_path', file_name='http://images.org/1.jpg'),
    # What is no fault.
    'out as far as the image is wide': harmless(lambda one, number: one.annotation(number)['segmentation'].append(
        [-one.image(number)['width'], 0, 2 * one.image(number)['width'], 0, 9, 9])),
    'nothing': harmless(lambda one, number: None),
    'short polygons beside good ones': harmless(lambda one, number: one.annotation(number)['segmentation'].extend(
        [[1, 2, 3, 4], []])),
    'RLE in a list': harmless(lambda one, number: one.annotation(number).update(segmentation=[_whole_rle(one, number)])
                              ),
    'polygon and RLE': harmless(lambda one, number: one.annotation(number)['segmentation'].append(
        _whole_rle(one, number))),
    'ids as text': harmless(lambda one, number: one.refs[number].update(
        ann_id=str(one.refs[number]['ann_id']), ref_id=str(one.refs[number]['ref_id']))),
    'ids as real numbers': harmless(lambda one, number: one.annotation(number).update(
        id=float(one.annotation(number)['id']), image_id=str(one.annotation(number)['image_id']))),
    'sizes as real numbers': harmless(lambda one, number: one.image(number).update(
        height=float(one.image(number)['height']), id=str(one.image(number)['id']))),
    'an image twice, its id once as text': harmless(lambda one, number: one.instances['images'].append(
        dict(one.image(number), id=str(one.image(number)['id']), height=float(one.image(number)['height'])))),
    'an annotation twice, its id once as text': harmless(lambda one, number: one.instances['annotations'].append(
        dict(one.annotation(number), id=str(one.annotation(number)['id']),
             image_id=float(one.annotation(number)['image_id'])))),
    'half an emoji': harmless(lambda one, number: one.refs[number]['sentences'][0].update(sent='the man \ud83d')),
    'no target': harmless(lambda one, number: one.refs[number].update(ann_id=[-1, [], '-1', -1.0][number % 4])),
    'no target, marked as such': harmless(lambda one, number: one.refs[number].update(
        [dict(ann_id=[-1], no_target=True), dict(ann_id=[], source='zero')][number % 2])),
    'a target, marked as such': harmless(lambda one, number: one.refs[number].update(no_target=False, source='one')),
    'several targets': harmless(lambda one, number: one.refs[number].update(
        ann_id=[101 + 3 * (number // 3), str(102 + 3 * (number // 3))])),
}

# In a test set alone; it costs nothing there, since the first of the pair stays.
REPEATED = Fault(NOTHING, 'repeated ids', 'is there more than once', _repeat_pair)
