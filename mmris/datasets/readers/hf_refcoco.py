"""The Parquet files of jxu124 on Hugging Face: REFER's refs with their COCO annotations, a ref or an image a row.

mmris writes the first of the two layouts too, see :mod:`mmris.datasets.writers.parquet`.
"""

import json
import os
import re
from typing import Any, Dict, Iterator, List, Set, Tuple

from mmris.utils.text import shorten

from .columns import has_columns, open_table
from .content import Content, RawRef
from .form import Form
from .opening import ParquetTable
from .source import Source, SourceFile

_OF_REF = ('ref_id', 'ann_id', 'image_id', 'split', 'sentences')
# Names of the two columns of JSON text: today, and in revisions of before June 2023.
_OF_JSON = (('raw_anns', 'raw_image_info'), ('anns', 'image_info'))
_OF_BENCHMARK = ('ref_list', 'image_info')
# What names of the benchmark's files begin with: refcoco_unc in refcoco_unc_val-00000-of-00001-1234.parquet.
_SET = re.compile(r'(.+?)_(?:train|val|test[AB]?)-')


def _is_refs(value: Any) -> bool:
    return any(has_columns(value, *_OF_REF, *names) for names in _OF_JSON)


def _read_refs(source: Source) -> Content:
    refs: List[RawRef] = []
    # Refs of one object or image have the same text, which is parsed once.
    texts: Tuple[Set[Any], Set[Any]] = (set(), set())
    entries: Tuple[List[Any], List[Any]] = ([], [])
    for file in source.files:
        names = next((one for one in _OF_JSON if has_columns(file.value, *one)), _OF_JSON[0])
        table = open_table(file, source, (*_OF_REF, *names))
        for number, row in _rows_of_refs(table, names):
            place = f'row {number}'
            for name, known, found in zip(names, texts, entries):
                text = row.pop(name)
                if isinstance(text, (dict, list)):
                    # A copy of the set with the text already parsed.
                    found += [text] if isinstance(text, dict) else text
                elif text not in known:
                    known.add(text)
                    found += _parse_entries(text, f'{file.path}: {place}: {name}')
            refs.append(RawRef(file.path, place, dict(row, sentences=_sentences(row['sentences'], file, place))))
    return Content(refs, dict(images=entries[1], annotations=entries[0]))


def _rows_of_refs(table: ParquetTable, names: Tuple[str, str]) -> Iterator[Tuple[int, Dict[str, Any]]]:
    more = [one for one in ('file_name', 'category_id') if one in table.columns]
    return enumerate(table.rows([*_OF_REF, *names, *more]))


def _parse_entries(text: Any, where: str) -> List[Any]:
    """The entries in a text: one of jxu124's, one or several of mmris's own."""
    if text is None:
        return []
    value = _parse(text, where, 'a COCO entry')
    if not isinstance(value, (dict, list)):
        raise ValueError(f'{where} is {shorten(text)}, but the JSON text of a COCO entry is expected. Download the '
                         f'file again, or correct the row.')
    return [value] if isinstance(value, dict) else value


def _sentences(sentences: Any, file: SourceFile, place: str) -> Any:
    if isinstance(sentences, str):
        sentences = _parse(sentences, f'{file.path}: {place}: sentences', 'a list of sentences')
    if not isinstance(sentences, list):
        return sentences
    # A field that the column has and the sentence has not.
    return [{key: one for key, one in sentence.items() if one is not None} if isinstance(sentence, dict) else sentence
            for sentence in sentences]


def _parse(text: Any, where: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'{where} is {shorten(text)}, but the JSON text of {what} is expected ({error}). Download '
                         f'the file again, or correct the row.') from error


def _is_benchmark(value: Any) -> bool:
    return has_columns(value, *_OF_BENCHMARK)


def _read_benchmark(source: Source) -> Content:
    _check_one_set(source)
    refs, images, annotations = [], [], []
    for file in source.files:
        # The images are in another column, which is not read.
        for number, row in enumerate(open_table(file, source, _OF_BENCHMARK).rows(list(_OF_BENCHMARK))):
            images.append(row['image_info'])
            entries = row['ref_list'] if isinstance(row['ref_list'], list) else [row['ref_list']]
            for position, entry in enumerate(entries):
                entry = entry if isinstance(entry, dict) else {}
                if entry.get('ann_info') is not None:
                    annotations.append(entry['ann_info'])
                refs.append(RawRef(file.path, f'entry {position} of ref_list in row {number}', entry.get('ref_info')))
    return Content(refs, dict(images=images, annotations=annotations))


def _check_one_set(source: Source) -> None:
    """Check that files are of one set: the published folder has five, each with ids of refs from 0 on."""
    names = [os.path.basename(file.path) for file in source.files]
    sets = sorted({match[1] for name in names if (match := _SET.match(name))})
    if len(sets) > 1:
        patterns = ', '.join(f'{one}_*.parquet' for one in sets)
        folder = os.path.dirname(source.files[0].path)
        raise ValueError(f'{source.path} holds several sets: {", ".join(sets)}. Name one of them by a pattern, such as '
                         f'"{os.path.join(folder, sets[0])}_*.parquet". The patterns are {patterns}.')


HF_REFCOCO = Form(
    name='hf-refcoco',
    title="jxu124's Parquet of refs (refcoco/data/validation-00000-of-00001.parquet)",
    recognise=_is_refs,
    read=_read_refs,
    own_masks=True)

HF_REFCOCO_BENCHMARK = Form(
    name='hf-refcoco-benchmark',
    title="jxu124's Parquet of images (refcoco-benchmark/data/refcoco_unc_val-00000-of-00001.parquet)",
    recognise=_is_benchmark,
    read=_read_benchmark,
    own_masks=True)
