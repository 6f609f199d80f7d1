"""Data sets in each form that is read, through the check of a whole set."""

import json
import pickle
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

from mmris.datasets.problems import ProblemTally
from mmris.datasets.readers import find_form, read_content
from mmris.datasets.refer_files import check_content, read_ref_images
from mmris.datasets.set_check import check_set, format_report
from tests.datasets.readers import own_exports
from tests.datasets.readers.parquet_forms import to_corners, to_rle, write_refs
from tests.datasets.readers.seqtr_files import to_seqtr
from tests.datasets.readers.shaperef_forms import ReferSet, make_shaperef
from tests.datasets.readers.test_cris_files import to_cris
from tests.datasets.readers.test_mdetr import to_mdetr
from tests.datasets.readers.test_phrasecut import task_of
from tests.datasets.readers.test_sa2va import entries_of

from .mutation import mutate_json, mutate_lines, mutate_pickle, mutate_table
from .target import Mutate, Read, Target

_READERS = 'mmris.datasets.readers'
# Of the ShapeRef's, so that a file is small.
_REFS = 4


@cache
def _set() -> ReferSet:
    """A few refs of one split of a ShapeRef."""
    folder = make_shaperef(Path(tempfile.mkdtemp(prefix='mmris-fuzzing-set-')))
    refers = ReferSet(folder)
    refers.refs = [dict(one) for one in refers.of_split('val')[:_REFS]]
    annotations = {one['ann_id'] for one in refers.refs}
    images = {one['image_id'] for one in refers.refs}
    refers.annotations = {key: one for key, one in refers.annotations.items() if key in annotations}
    refers.images = {key: one for key, one in refers.images.items() if key in images}
    return refers


def _instances(refers: ReferSet) -> dict:
    return dict(images=list(refers.images.values()), annotations=list(refers.annotations.values()),
                categories=refers.categories)


def _copy_images(refers: ReferSet, folder: Path) -> Path:
    """The images beside a file, which other forms know by other names."""
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    for image in refers.images.values():
        path = refers.folder / 'images' / image['file_name']
        for name in (image['file_name'], f'{image["id"]}.jpg'):
            shutil.copy(path, folder / 'images' / name)
    return folder / 'images'


def _prepare(name: str, folder: Path, *, around: Optional[Callable[[ReferSet, Path], None]] = None) -> Read:
    """Check a set whose refs file is fuzzed."""
    refers, path = _set(), folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    images = _copy_images(refers, folder)
    (folder / 'instances.json').write_text(json.dumps(_instances(refers)))
    if around is not None:
        around(refers, folder)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        report = check_set(instances_path=str(folder / 'instances.json'), refs_path=str(path),
                           image_folder=str(images), decode=True)
        format_report(report)
        json.dumps(report.to_dict())
        read_ref_images(str(path), ['val'])

    return read


def _prepare_instances(folder: Path) -> Read:
    refers = _set()
    images = _copy_images(refers, folder)
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(refers.refs))

    def read(content: bytes) -> None:
        (folder / 'instances.json').write_bytes(content)
        format_report(check_set(instances_path=str(folder / 'instances.json'), refs_path=str(folder / 'refs(unc).p'),
                                image_folder=str(images), decode=True))

    return read


def _prepare_own(form: str, name: str, folder: Path, **options: Any) -> Read:
    """Convert an export of an annotation tool."""
    refers, path = _set(), folder / name
    images = _copy_images(refers, folder)
    if form in ('csv', ):
        own_exports.write_csv(refers, folder)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found, splits = read_content(str(path), form=find_form(form), image_folder=str(images), options=options)
        tally = ProblemTally()
        check_content(found, splits, instances_path='', refs_path=str(path), report=tally.report)
        list(found.left_out.lines('left out'))

    return read


def _json(make: Callable[[ReferSet], Any], _: Path) -> Iterator[bytes]:
    yield json.dumps(make(_set())).encode()


def _pickles(_: Path) -> Iterator[bytes]:
    yield pickle.dumps(_set().refs, protocol=2)
    yield pickle.dumps(_set().refs, protocol=4)


def _instance_files(_: Path) -> Iterator[bytes]:
    refers = _set()
    content = _instances(refers)
    yield json.dumps(content).encode()
    for one in content['annotations'][1:]:
        image = refers.images[one['image_id']]
        one['segmentation'] = to_rle(one, image)
    yield json.dumps(content).encode()


def _lines_of_gseval(_: Path) -> Iterator[bytes]:
    refers = _set()
    rows = []
    for ref in refers.refs:
        image, annotation = refers.images[ref['image_id']], refers.annotations[ref['ann_id']]
        for sentence in ref['sentences']:
            rows.append(dict(idx=len(rows), image_path=image['file_name'], class_id=1, label='star',
                             caption=sentence['raw'], box=to_corners(annotation['bbox']),
                             segmentation=to_rle(annotation, image)))
    yield '\n'.join(map(json.dumps, rows)).encode()


def _phrasecut(refers: ReferSet) -> List[dict]:
    whole = [ref for ref in refers.refs if isinstance(refers.annotations[ref['ann_id']]['segmentation'], list)]
    return [task_of(refers, ref['image_id'], [ref['ann_id']], sentence['sent'], number)
            for number, ref in enumerate(whole) for sentence in ref['sentences']]


def _write_phrasecut(refers: ReferSet, folder: Path) -> None:
    (folder / 'image_data_split3000.json').write_text(json.dumps([
        dict(image_id=one['id'], coco_id=None, width=one['width'], height=one['height'], split='val')
        for one in refers.images.values()]))


def _arefcoco(refers: ReferSet) -> dict:
    return dict(info={}, annotations=[
        dict(entity_id=number, ref_id=ref['ref_id'], original_dataset='refcoco', split='val', category_name='circle',
             descriptions=[one['sent'] for one in ref['sentences']]) for number, ref in enumerate(refers.refs)])


def _write_arefcoco(refers: ReferSet, folder: Path) -> None:
    (folder / 'refcoco').mkdir()
    (folder / 'refcoco' / 'refs(unc).p').write_bytes(pickle.dumps(refers.refs, protocol=2))
    (folder / 'refcoco' / 'instances.json').write_text(json.dumps(_instances(refers)))


def _write_cris_masks(refers: ReferSet, folder: Path) -> None:
    from PIL import Image
    (folder / 'masks' / 'refcoco').mkdir(parents=True)
    for ref in refers.refs:
        mask = own_exports.mask_of(refers, ref['ann_id'])
        Image.fromarray(mask * 255).save(folder / 'masks' / 'refcoco' / f'{ref["ref_id"]}.png')


def _reasonseg(_: Path) -> Iterator[bytes]:
    shape = dict(label='target', labels=['target'], shape_type='polygon', image_name='x.jpg', group_id=None,
                 points=[[1, 1], [30, 2], [20, 30]], group_ids=[None], flags={})
    yield json.dumps(dict(text=['the red one', 'it'], is_sentence=False, shapes=[shape, dict(shape, label='ignore'),
                                                                                dict(shape, label='flag')])).encode()


def _prepare_reasonseg(folder: Path) -> Read:
    refers = _set()
    image = next(iter(refers.images.values()))
    (folder / 'val').mkdir()
    shutil.copy(refers.folder / 'images' / image['file_name'], folder / 'val' / '1.jpg')

    def read(content: bytes) -> None:
        (folder / 'val' / '1.json').write_bytes(content)
        format_report(check_set(instances_path='instances.json', refs_path=str(folder), image_folder=str(folder),
                                decode=True, text_field='raw'))

    return read


def _written(write: Callable[[ReferSet, Path], Any], name: str, folder: Path) -> Iterator[bytes]:
    write(_set(), folder / name)
    yield (folder / name).read_bytes()


def _label_studio(refers: ReferSet, path: Path) -> None:
    own_exports.write_label_studio(refers, path, lambda number, name: f'/data/upload/3/{number:08x}-{name}')


def _carried(refers: ReferSet, path: Path) -> None:
    own_exports.write_coco(refers, path, lambda one, sentences: dict(one, attributes=dict(caption='; '.join(sentences)),
                                                                     sentences=sentences))


def _csv(folder: Path) -> Iterator[bytes]:
    yield own_exports.write_csv(_set(), folder).read_bytes()


def _parquet(folder: Path) -> Iterator[bytes]:
    refers = _set()
    (folder / 'refer').mkdir()
    (folder / 'refer' / 'refs(unc).p').write_bytes(pickle.dumps(refers.refs))
    (folder / 'refer' / 'instances.json').write_text(json.dumps(_instances(refers)))
    written = write_refs(folder / 'refer', folder / 'hf')
    yield next(path for path in (written / 'data').glob('validation*')).read_bytes()


def _form(name: str, file: str, seeds: Callable[[Path], Iterator[bytes]], mutate: Optional[Mutate] = mutate_json,
          *, readers: Optional[List[str]] = None, **options: Any) -> Target:
    return Target(name=f'form_{name}', readers=readers or [f'{_READERS}.{name}'],
                  prepare=partial(_prepare, file, **options), seeds=seeds, mutate=mutate)


def _own(name: str, file: str, seeds: Callable[[Path], Iterator[bytes]], mutate: Optional[Mutate], *readers: str,
         **options: Any) -> Target:
    return Target(name=f'form_{name}', readers=[f'{_READERS}.{one}' for one in readers],
                  prepare=partial(_prepare_own, name.replace('_', '-'), file, **options), seeds=seeds, mutate=mutate)


_ENTRIES = ['mmris.datasets.refer_files', 'mmris.datasets.entry_faults', 'mmris.datasets.referred_images',
            f'{_READERS}.refer', 'mmris.datasets.data_files']

TARGETS = [
    _form('refer', 'refs(unc).p', partial(_json, lambda refers: refers.refs), readers=_ENTRIES),
    _form('refer_pickle', 'refs(unc).p', _pickles, mutate_pickle, readers=_ENTRIES),
    Target(name='form_instances', readers=_ENTRIES[:3] + ['mmris.datasets.masks'], prepare=_prepare_instances,
           seeds=_instance_files, mutate=mutate_json),
    _form('mdetr', 'finetune_refcoco_val.json', partial(_json, lambda refers: to_mdetr(refers, 'val'))),
    _form('seqtr', 'instances_val.json', partial(_json, to_seqtr)),
    _form('sa2va', 'annotations_val.json', partial(_json, lambda refers: entries_of(refers, 'val'))),
    _form('gseval', 'GroundingSuite-Eval.jsonl', _lines_of_gseval, mutate_lines),
    _form('phrasecut', 'refer_val.json', partial(_json, _phrasecut), around=_write_phrasecut),
    _form('arefcoco', 'arefcoco/arefcoco.json', partial(_json, _arefcoco), around=_write_arefcoco),
    _form('cris', 'anns/refcoco/val.json', partial(_json, lambda refers: [to_cris(refers, one) for one in refers.refs]),
          around=_write_cris_masks, readers=[f'{_READERS}.cris', f'{_READERS}.mask_files']),
    Target(name='form_reasonseg', readers=[f'{_READERS}.reasonseg'], prepare=_prepare_reasonseg, seeds=_reasonseg,
           mutate=mutate_json),
    _form('hf_refcoco', 'data/validation-00000-of-00001.parquet', _parquet, None,
          readers=[f'{_READERS}.hf_refcoco', f'{_READERS}.columns', f'{_READERS}.opening']),
    _own('label_studio', 'export.json', partial(_written, _label_studio, 'export.json'), mutate_json, 'label_studio',
         'label_studio_brush', 'own_set', 'own_images', 'own_splits', val_share=0.2),
    _own('cvat', 'annotations.xml', partial(_written, own_exports.write_cvat, 'annotations.xml'), None, 'cvat',
         'opening', 'points', 'own_images', val_share=0.2),
    _own('csv', 'own.csv', _csv, mutate_table, 'csv_masks', 'mask_files', 'opening', 'own_images'),
    _own('coco_sentences', 'own_val.json', partial(_written, _carried, 'own.json'), mutate_json, 'coco_sentences',
         'ref_groups', 'own_splits'),
]
