"""Parquet files for Hugging Face's ``datasets``, in the layout of jxu124/refcoco."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence

from mmris.datasets.refer_files import ReferFiles, target_annotation_ids
from mmris.utils.finite import is_finite_number
from mmris.utils.ids import read_whole_number
from mmris.utils.text import to_well_formed

from .split_names import name_splits

_ROWS_AT_A_TIME = 4096
_OF_ANNOTATION = ('id', 'image_id', 'category_id', 'segmentation', 'bbox', 'area', 'iscrowd')
_OF_IMAGE = ('id', 'file_name', 'height', 'width')


def write_parquet(files: ReferFiles, folder: Path) -> List[Path]:
    """Write a Parquet file a split, with a ref a row, and a dataset card that names the splits.

    Both ``datasets.load_dataset(folder)`` and :class:`RefCOCODataset` (``refs_file=folder``) read them. Masks stay as
    they are: polygons, RLE, or lists of both. Images are not written. If any ref has several targets or none,
    ``ann_id`` and ``category_id`` of all refs are lists, and so is the JSON text of ``raw_anns``.

    Args:
        files (ReferFiles): What :func:`prepare_set` returned.
        folder (Path): Where ``data/<split>-00000-of-00001.parquet`` and ``README.md`` go. It is made.

    Returns:
        list[Path]: The files, the card last.

    Raises:
        ImportError: If pyarrow is not installed.
        ValueError: If two splits would have files of one name.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            'Parquet files are written by pyarrow. Install it: pip install "mmris[maintained,parquet]".') from error
    names = name_splits(files, lambda name: f'data/{_file_name(name)}')
    lists_targets = any(len(target_annotation_ids(ref)) != 1 for ref in files.refs)
    has_skills = any(sentence.get('skills') for ref in files.refs for sentence in ref['sentences'])
    # datasets asks for the same types in all splits.
    schema = _make_schema(pyarrow, lists_targets, has_skills)
    (folder / 'data').mkdir(parents=True, exist_ok=True)
    written = []
    for split, name in names.items():
        path = folder / 'data' / _file_name(name)
        rows = (_row(ref, files, lists_targets) for ref in files.refs if ref['split'] == split)
        with parquet.ParquetWriter(path, schema, compression='zstd') as writer:
            for batch in _batches(rows):
                writer.write_table(pyarrow.Table.from_pylist(batch, schema))
        written.append(path)
    card = folder / 'README.md'
    card.write_text(_card(files, names, lists_targets), encoding='utf-8')
    return [*written, card]


def _file_name(name: str) -> str:
    return f'{name}-00000-of-00001.parquet'


def _batches(rows: Iterator[Dict[str, Any]]) -> Iterator[List[Dict[str, Any]]]:
    while batch := list(islice(rows, _ROWS_AT_A_TIME)):
        yield batch


def _make_schema(pyarrow: Any, lists_targets: bool, has_skills: bool) -> Any:
    text, number = pyarrow.string(), pyarrow.int64()
    target = pyarrow.list_(number) if lists_targets else number
    sentence = dict(raw=text, sent=text, sent_id=number, tokens=pyarrow.list_(text))
    if has_skills:
        sentence['skills'] = pyarrow.list_(text)
    return pyarrow.schema(
        dict(
            sent_ids=pyarrow.list_(number),
            file_name=text,
            ann_id=target,
            ref_id=number,
            image_id=number,
            split=text,
            sentences=pyarrow.list_(pyarrow.struct(sentence)),
            category_id=target,
            raw_anns=text,
            raw_image_info=text,
            raw_sentences=text,
            bbox=pyarrow.list_(pyarrow.float64()),
            captions=pyarrow.list_(text)))


def _row(ref: dict, files: ReferFiles, lists_targets: bool) -> Dict[str, Any]:
    annotations = [files.annotations.whole[one] for one in target_annotation_ids(ref)]
    entries = [_select(one, _OF_ANNOTATION) for one in annotations]
    targets = [dict(ann_id=one['id'], category_id=read_whole_number(one['category_id'])) for one in annotations]
    sentences = [_sentence(one) for one in ref['sentences']]
    return dict(
        sent_ids=[one['sent_id'] for one in sentences],
        file_name=to_well_formed(ref['file_name']),
        ref_id=ref['ref_id'],
        image_id=ref['image_id'],
        split=ref['split'],
        sentences=sentences,
        raw_anns=json.dumps(entries if lists_targets else entries[0]),
        raw_image_info=json.dumps(_select(files.images.whole[ref['image_id']], _OF_IMAGE)),
        raw_sentences=json.dumps(sentences),
        bbox=_box_around([one['bbox'] for one in annotations]),
        captions=[one['sent'] for one in sentences],
        **{key: [one[key] for one in targets] if lists_targets else targets[0][key]
           for key in ('ann_id', 'category_id')})


def _select(entry: dict, keys: Iterable[str]) -> Dict[str, Any]:
    return {key: entry[key] for key in keys if entry.get(key) is not None}


def _sentence(sentence: dict) -> Dict[str, Any]:
    # What no check looks at may be anything, but the types of columns are fixed.
    tokens = sentence['tokens'] if isinstance(sentence['tokens'], (list, tuple)) else []
    written = dict(
        raw=_text(sentence['raw']),
        sent=_text(sentence['sent']),
        sent_id=sentence['sent_id'],
        tokens=[to_well_formed(token) for token in tokens if isinstance(token, str)])
    if sentence.get('skills'):
        written['skills'] = [to_well_formed(skill) for skill in sentence['skills']]
    return written


def _text(value: Any) -> Optional[str]:
    return to_well_formed(value) if isinstance(value, str) else None


def _box_around(boxes: Sequence[Any]) -> Optional[List[float]]:
    """The box around all targets as jxu124 has it, by its corners: left, top, right and bottom in pixels."""
    if not boxes or not all(isinstance(box, (list, tuple)) and len(box) == 4 and
                            all(map(is_finite_number, box)) for box in boxes):
        return None
    corners = [(left, top, left + width, top + height) for left, top, width, height in boxes]
    lefts, tops, rights, bottoms = zip(*corners)
    return [float(one) for one in (min(lefts), min(tops), max(rights), max(bottoms))]


def _card(files: ReferFiles, names: Dict[str, str], lists_targets: bool) -> str:
    target = 'Ids of the targets, whose union is the mask. Empty: nothing on the image fits' if lists_targets else \
        'Id of the target'
    annotations = 'JSON text of the list of COCO annotations' if lists_targets else 'JSON text of the COCO annotation'
    data_files = [line for name in names.values()
                  for line in (f'  - split: {name}', f'    path: data/{_file_name(name)}')]
    refs = {split: [ref for ref in files.refs if ref['split'] == split] for split in names}
    counts = [f'| {name} | {len(refs[split]):,} | {sum(len(ref["sentences"]) for ref in refs[split]):,} |'
              for split, name in names.items()]
    return '\n'.join([
        '---', 'configs:', '- config_name: default', '  data_files:', *data_files, 'task_categories:',
        '- image-segmentation', '---', '',
        'Sentences about objects on images, with masks, in the layout of jxu124/refcoco. Each row is a ref: a target '
        'with its sentences. The images are not included.', '',
        '| split | refs | sentences |', '|---|---|---|', *counts, '',
        '| column | content |', '|---|---|',
        '| `sentences` | `sent` in lower case, `raw` as typed |',
        f'| `ann_id` | {target} |',
        f'| `raw_anns` | {annotations}: `segmentation`, `bbox` as x, y, width, height in pixels |',
        '| `raw_image_info` | JSON text of the COCO image: `file_name`, `height`, `width` |',
        '| `bbox` | Box around the target: left, top, right, bottom in pixels |', '',
        'Written by mmris (`mmris convert_dataset ... --to parquet`), which reads this folder as '
        '`refs_file`.', ''
    ])
