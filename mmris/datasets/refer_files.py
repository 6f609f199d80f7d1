"""The published files of the RefCOCO family: what is in them, and whether it fits together."""

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from .plain_pickle import load_plain_pickle

NO_TARGET = -1


@dataclass(frozen=True)
class ReferFiles:
    """The content of ``instances.json`` and ``refs(...).p``.

    Attributes:
        refs (list[dict]): As published.
        annotations (dict[int, dict]): COCO annotations by id.
        images (dict[int, dict]): COCO images by id.
        refs_path (str): Where the refs are from, for messages.
        instances_path (str): Where annotations and images are from, for messages.
    """

    refs: List[dict]
    annotations: Dict[int, dict]
    images: Dict[int, dict]
    refs_path: str
    instances_path: str

    @property
    def splits(self) -> List[str]:
        """list[str]: The splits that the refs name."""
        return sorted({ref['split'] for ref in self.refs})


def read_refer_files(instances_path: str, refs_path: str) -> ReferFiles:
    """Read both files.

    Args:
        instances_path (str): ``instances.json``, COCO instance annotations.
        refs_path (str): ``refs(unc).p`` and the like, or the same content as ``.json``.

    Returns:
        ReferFiles: Their content.

    Raises:
        FileNotFoundError: If one is missing; the message tells what it is and how sets are laid out.
        ValueError: If one is malformed, or the refs file holds more than plain data.
    """
    for path, what in ((instances_path, 'COCO instance annotations'), (refs_path, 'the referring expressions')):
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'{path} ({what}) is missing. A set is a folder with instances.json and refs(<by>).p, as published; '
                f'set data_root, ann_file and refs_file to where yours lies. docs/data.md says how to get it.')
    instances = _read_json(instances_path)
    if not isinstance(instances, dict) or not {'images', 'annotations'} <= instances.keys():
        raise ValueError(f'{instances_path} is not a COCO annotation file: it needs `images` and `annotations`.')
    refs = _read_json(refs_path) if refs_path.endswith('.json') else load_plain_pickle(refs_path)
    _check_refs(refs, refs_path)
    return ReferFiles(
        refs=refs,
        annotations=_by_id(instances, 'annotations', ('id', ), instances_path),
        images=_by_id(instances, 'images', ('id', 'file_name', 'height', 'width'), instances_path),
        refs_path=refs_path,
        instances_path=instances_path)


def target_annotation_ids(ref: dict) -> List[int]:
    """Ids of the annotations whose union a ref points to: one in RefCOCO, several or none in gRefCOCO."""
    ids = ref['ann_id'] if isinstance(ref['ann_id'], (list, tuple)) else [ref['ann_id']]
    return [annotation_id for annotation_id in ids if annotation_id != NO_TARGET]


def _by_id(instances: dict, kind: str, wanted: Sequence[str], path: str) -> Dict[int, dict]:
    for position, entry in enumerate(instances[kind]):
        missing = [key for key in wanted if key not in entry]
        if missing:
            raise ValueError(f'{path}: the entry at position {position} of `{kind}` lacks {", ".join(missing)}.')
    return {entry['id']: entry for entry in instances[kind]}


def _read_json(path: str) -> Any:
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not a whole JSON file ({error}). Fetch it again.') from error


def _check_refs(refs: Any, path: str) -> None:
    if not isinstance(refs, (list, tuple)):
        raise ValueError(f'{path} holds a {type(refs).__name__}, but a refs file is a list of refs.')
    wanted: Sequence[str] = ('ref_id', 'ann_id', 'image_id', 'split', 'sentences')
    for position, ref in enumerate(refs):
        missing = [key for key in wanted if key not in ref] if isinstance(ref, dict) else list(wanted)
        if missing:
            raise ValueError(f'{path}: ref at position {position} lacks {", ".join(missing)}.')
        if not ref['sentences']:
            raise ValueError(f'{path}: ref {ref["ref_id"]} has no sentence. Add one, or remove the ref.')
        for sentence in ref['sentences']:
            if not isinstance(sentence, dict) or 'sent_id' not in sentence:
                raise ValueError(f'{path}: a sentence of ref {ref["ref_id"]} lacks sent_id.')
