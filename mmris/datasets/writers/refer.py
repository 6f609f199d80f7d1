"""The REFER files, as the original reader and the projects that copied it read them."""

import json
import pickle
from pathlib import Path
from typing import Any, List

from mmris.datasets.refer_files import ReferFiles, target_annotation_ids

from .categories import complete_categories

INSTANCES_FILE = 'instances.json'


def write_refer(files: ReferFiles, folder: Path, by: str) -> List[Path]:
    """Write ``instances.json`` and ``refs(<by>).p``.

    A single target is an id, several or none are lists, with ``no_target`` as gRefCOCO has it. Segmentations are
    lists, of polygons or RLEs: the original reader takes nothing else.

    Args:
        files (ReferFiles): What :func:`prepare_set` returned.
        folder (Path): Where to write. It exists.
        by (str): The name in the brackets.

    Returns:
        list[Path]: The files.
    """
    instances = dict(
        info=dict(description='Written by mmris'),
        licenses=[],
        images=list(files.images.whole.values()),
        annotations=[dict(one, segmentation=_as_list(one['segmentation'])) for one in files.annotations.whole.values()],
        categories=complete_categories(files))
    paths = [folder / INSTANCES_FILE, folder / f'refs({by}).p']
    paths[0].write_text(json.dumps(instances), encoding='utf-8')
    # A pickle also tells which equal strings are one object in memory. Through JSON it depends on the content alone.
    refs = json.loads(json.dumps([_mark_no_target(ref) for ref in files.refs]))
    paths[1].write_bytes(pickle.dumps(refs, protocol=2))
    return paths


def _as_list(segmentation: Any) -> list:
    return [segmentation] if isinstance(segmentation, dict) else segmentation


def _mark_no_target(ref: dict) -> dict:
    if target_annotation_ids(ref):
        return ref
    return dict(ref, ann_id=[-1], no_target=True)
