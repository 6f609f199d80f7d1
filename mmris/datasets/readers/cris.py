"""CRIS's files: ``anns/<set>/<split>.json``, and a mask a ref in ``masks/<set>/<segment_id>.png``."""

import logging
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
from mmengine.logging import print_log
from mmengine.utils import ProgressBar
from PIL import Image

from mmris.datasets.entry_faults import fault_of_dict
from mmris.datasets.masks import UnreadableMask
from mmris.images.decoding import check_no_program
from mmris.utils.finite import is_finite_number
from mmris.utils.ids import Id, read_id
from mmris.utils.run_lengths import encode_mask
from mmris.utils.text import shorten

from .coco_names import image_id_of_name
from .content import Content, RawRef
from .form import Form, any_has_keys
from .ref_groups import ImageList
from .source import Source, SourceFile

_TITLE = "CRIS's file of refs (anns/refcoco/val.json)"
# Reading so many masks takes about ten seconds.
_MANY = 3000
# Where polygons of an object overlap, CRIS adds them up and multiplies by 255 in 8 bits: 255, 254, 253, ...
_OBJECT = (1, *range(240, 256))


def _recognise(value: Any) -> bool:
    return any_has_keys(value, 'segment_id', 'img_name', 'sentences')


def _read(source: Source) -> Content:
    refs: List[RawRef] = []
    images, masks = ImageList(), {}
    for file in source.files:
        if not isinstance(file.value, (list, tuple)):
            raise ValueError(f'{file.path} is not {_TITLE}: it is no list. Name only the files of anns/<set>.')
        if file.split is None:
            raise ValueError(f'{file.path} is {_TITLE}, in which each split is a file. The name of this one does not '
                             f'tell its split: name it as CRIS does, such as val.json.')
        folder = _masks_folder(file.path)
        for position, entry in enumerate(file.value):
            fault = _fault_of(entry)
            place = f'the entry at position {position}'
            if fault is not None:
                refs.append(RawRef(file.path, place, dict(split=file.split), fault))
                continue
            ref_id, image_id = read_id(entry['segment_id']), image_id_of_name(entry['img_name'])
            images.add(image_id, entry['img_name'])
            masks.setdefault((ref_id, image_id, folder / f'{ref_id}.png'), entry.get('bbox'))
            refs.append(RawRef(file.path, place, _ref(entry, file, ref_id, image_id)))
    annotations = _read_annotations(masks) if source.with_masks else []
    return Content(refs, dict(images=images.images, annotations=annotations))


def _ref(entry: dict, file: SourceFile, ref_id: Id, image_id: Id) -> dict:
    return dict(
        ref_id=ref_id,
        ann_id=ref_id,
        image_id=image_id,
        split=file.split,
        sentences=entry['sentences'],
        file_name=entry['img_name'])


def _fault_of(entry: Any) -> Optional[str]:
    fault = fault_of_dict(entry, ('segment_id', 'img_name', 'sentences'))
    if fault is not None:
        return fault
    ref_id = read_id(entry['segment_id'])
    # It is a part of the name of a file.
    if ref_id is None or (isinstance(ref_id, str) and ref_id != os.path.basename(ref_id)):
        return f'has segment_id={shorten(entry["segment_id"])}, but ids are whole numbers or names'
    if not isinstance(entry['img_name'], str) or image_id_of_name(entry['img_name']) is None:
        return f'has img_name={shorten(entry["img_name"])}, but the name of an image file is expected'
    return None


def _masks_folder(path: str) -> Path:
    """The folder of the masks that belong to an annotation file."""
    folder = Path(os.path.abspath(path)).parent
    parts = list(folder.parts)
    if 'anns' not in parts:
        raise ValueError(f'{path} is {_TITLE}, but does not lie in a folder anns/<set>, so that its masks are not '
                         f'found. Keep CRIS\'s layout: anns/<set>/<split>.json beside masks/<set>/<segment_id>.png.')
    parts[len(parts) - 1 - parts[::-1].index('anns')] = 'masks'
    masks = Path(*parts)
    if not masks.is_dir():
        raise FileNotFoundError(f'{masks} is missing, the folder of the masks of {path}. Copy masks/<set> with '
                                f'anns/<set>; CRIS\'s data_process.py writes both if it is called with '
                                f'--generate_mask.')
    return masks


def _read_annotations(masks: Dict[Tuple[Id, Id, Path], Any]) -> List[dict]:
    progress = None
    if len(masks) > _MANY:
        print_log(
            f'{len(masks):,} masks are read from PNG files, which takes some 3 ms each at every start. Convert the '
            f'set once to save it: mmris convert_dataset cris --help.',
            logger='current',
            level=logging.INFO)
        # Beside what a tool prints, not in it.
        progress = ProgressBar(len(masks), file=sys.stderr)
    annotations = []
    for (ref_id, image_id, path), box in masks.items():
        annotation = dict(id=ref_id, image_id=image_id, segmentation=_read_mask(path))
        box = _to_xywh(box)
        annotations.append(annotation if box is None else dict(annotation, bbox=box))
        if progress is not None:
            progress.update()
    if progress is not None:
        print(file=sys.stderr)
    return annotations


def _read_mask(path: Path) -> Union[dict, UnreadableMask]:
    """Read a mask as an RLE."""
    try:
        with Image.open(path) as image:
            check_no_program(image, str(path))
            pixels = np.asarray(image.convert('L'))
    except FileNotFoundError:
        return UnreadableMask(f'{path} is missing')
    except Exception as error:
        # Pillow's readers raise whatever their parsing of broken bytes runs into.
        return UnreadableMask(f'{path} is not a whole image ({error})')
    counts = np.bincount(pixels.reshape(-1), minlength=256)
    other = next((value for value in np.flatnonzero(counts) if value and value not in _OBJECT), None)
    if other is not None:
        return UnreadableMask(f'{path} has pixels of {other}, but a mask of CRIS\'s is 0, and 255 (or 1) on the object')
    return encode_mask(pixels > 0)


def _to_xywh(box: Any) -> Optional[List[float]]:
    """A box of two corners as one of corner and size; None if it is none."""
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(map(is_finite_number, box)):
        return None
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]


CRIS = Form(name='cris', title=_TITLE, recognise=_recognise, read=_read, own_masks=True)
