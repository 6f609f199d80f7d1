"""A CSV file of one's own: in each row an image, the file of a mask, and a sentence."""

import os
from typing import Any, Dict, List, NamedTuple, Optional

from mmris.utils.ids import read_whole_number
from mmris.utils.run_lengths import encode_mask

from .content import Content
from .form import Form
from .mask_files import MASK_VALUES, MaskImage, read_mask_image, select_object
from .opening import TextTable
from .options import SPLIT_OPTIONS, flag_of, read_flag, read_text
from .own_images import find_turn, normalise_path
from .own_set import OwnSet, split_lines
from .own_splits import read_split
from .source import Source

_NEEDED = ('image', 'mask', 'sentence')
_COLUMNS = (*_NEEDED, 'split', 'value')


class _Row(NamedTuple):
    """A row, by the meaning of its columns.

    Attributes:
        path, entry (str): The file, and the row in it, for messages.
        image, mask, sentence (str): Its cells.
        split (str, optional): The split, if it says one.
        value (int, optional): The id of the object in the mask, if it says one.
    """

    path: str
    entry: str
    image: str
    mask: str
    sentence: str
    split: Optional[str]
    value: Optional[int]

    @property
    def where(self) -> str:
        return f'{self.path}: {self.entry}'


def _recognise(value: Any) -> bool:
    return isinstance(value, TextTable) and set(_NEEDED) <= set(value.columns)


def _read(source: Source) -> Content:
    own = OwnSet(source)
    mask_values = read_text(source.options, 'mask_values', choices=MASK_VALUES)
    rows = [row for file in source.files for row in _rows(file.path, file.value, source, mask_values)]
    groups: Dict[Any, List[_Row]] = {}
    for number, row in enumerate(rows):
        if not split_lines(row.sentence):
            own.leave_out('row without a sentence', row.entry, row.path, 'has no sentence')
            continue
        mask = _mask_path(row, source)
        # Each sentence that nothing fits is a ref of its own.
        image = normalise_path(row.image)
        key = (image, mask, row.value, row.split) if mask else (image, number)
        groups.setdefault(key, []).append(row)
    masks = _Masks(own, source, mask_values)
    for group in groups.values():
        first = group[0]
        image = own.find_image([first.image], first.entry, first.path)
        if image is None:
            continue
        target = masks.annotation_of(first, image) if first.mask else []
        sentences = [line for row in group for line in split_lines(row.sentence)]
        own.add_ref(image, target, sentences, path=first.path, place=first.entry, split=first.split)
    return own.content()


def _rows(path: str, table: Any, source: Source, mask_values: Optional[str]) -> List[_Row]:
    if not isinstance(table, TextTable):
        raise ValueError(f'{path} is not a CSV file. Name a file that ends with .csv or .tsv and whose first line has '
                         f'the columns {", ".join(_NEEDED)}.')
    names = {column: read_text(source.options, f'{column}_column', column) for column in _COLUMNS}
    for column, name in names.items():
        if name not in table.columns and (column in _NEEDED or name != column):
            raise ValueError(f'{path} has no column {name!r}. Its columns are {", ".join(map(repr, table.columns))}. '
                             f'Name the one of the {column}: {flag_of(column + "_column")} NAME.')
    rows = []
    for number, cells in enumerate(table.rows, start=1):
        entry = f'row {number} below the header'
        if None in cells or None in cells.values():
            raise ValueError(f'{path}: {entry} has {"more" if None in cells else "fewer"} cells than the header. Put '
                             f'cells that have a comma or a line break into double quotes.')
        found = {column: cells.get(name, '').strip() for column, name in names.items()}
        if not found['image']:
            raise ValueError(f'{path}: {entry} has no image. Name one, or remove the row.')
        value = _read_value(found['value'], f'{path}: {entry}') if mask_values != 'binary' else None
        rows.append(
            _Row(path, entry, found['image'], found['mask'], found['sentence'], read_split(found['split']), value))
    return rows


def _read_value(cell: str, where: str) -> Optional[int]:
    if not cell:
        return None
    try:
        number = read_whole_number(float(cell))
    except ValueError:
        number = None
    if number is None or number <= 0:
        raise ValueError(f'{where} has the value {cell!r}, but the id of an object in the mask is a whole number above '
                         f'0. Correct it, or ignore the column with --mask-values binary.')
    return number


def _mask_path(row: _Row, source: Source) -> str:
    """Where the mask of a row is; empty if it has none."""
    folder = read_text(source.options, 'mask_folder', os.path.dirname(row.path) or '.')
    return os.path.normpath(os.path.join(folder, row.mask.replace('\\', '/'))) if row.mask else ''


class _Masks:
    """Annotations of the objects in mask images, each made once."""

    def __init__(self, own: OwnSet, source: Source, mask_values: Optional[str]) -> None:
        self._own, self._source, self._mask_values = own, source, mask_values
        self._upright = read_flag(source.options, 'upright')
        self._annotations: Dict[Any, int] = {}
        self._last: Optional[MaskImage] = None

    def annotation_of(self, row: _Row, image: str) -> int:
        """The id of the annotation of a row's object."""
        path = _mask_path(row, self._source)
        key = (image, path, row.value)
        if key not in self._annotations:
            mask = select_object(self._read(path, row.where), row.value, self._mask_values, row.where)
            turn = find_turn(self._own.images.header(image), *mask.shape, upright=self._upright,
                             where=f'{row.where} with the mask {path}')
            self._annotations[key] = self._own.add_annotation(image, encode_mask(turn.turn_mask(mask)))
        return self._annotations[key]

    def _read(self, path: str, where: str) -> MaskImage:
        # Objects of one mask image are mostly in rows that follow each other.
        if self._last is None or self._last.path != path:
            self._last = read_mask_image(path, where)
        return self._last


CSV = Form(
    name='csv',
    title='a CSV file with the columns image, mask and sentence',
    recognise=_recognise,
    read=_read,
    own_masks=True,
    convert_only=True,
    options=('mask_values', 'mask_folder', *(f'{column}_column' for column in _COLUMNS), 'upright', *SPLIT_OPTIONS))
