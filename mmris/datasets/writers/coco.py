"""COCO instance files with sentences, one a split."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from pycocotools import mask as coco_mask

from mmris.datasets.masks import union_of_segmentations
from mmris.datasets.problems import Problem, Report
from mmris.datasets.refer_files import ReferFiles, target_annotation_ids
from mmris.datasets.stored_split import describe_split
from mmris.utils.run_lengths import encode_mask

from .categories import complete_categories
from .split_names import name_splits


def write_coco(files: ReferFiles, folder: Path, report: Report) -> List[Path]:
    """Write ``<split>.json`` for each split, with its name as it is in ``info`` (see :func:`name_splits`).

    Each annotation is what some sentences refer to, and has them as ``sentences``, a list of text. Several targets of
    one sentence become one annotation, their union.

    Args:
        files (ReferFiles): What :func:`prepare_set` returned.
        folder (Path): Where to write. It exists.
        report (Callable): Gets each ref without a target, which has no place in such a file.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: If two splits would have files of one name.
    """
    paths = []
    for split, name in name_splits(files, _file_name).items():
        refs = [ref for ref in files.refs if ref['split'] == split]
        annotations = _annotate(refs, files, report)
        images = {one['image_id']: files.images.whole[one['image_id']] for one in annotations}
        content = dict(
            info=describe_split(split),
            images=list(images.values()),
            annotations=annotations,
            categories=complete_categories(files))
        path = folder / _file_name(name)
        path.write_text(json.dumps(content), encoding='utf-8')
        paths.append(path)
    return paths


def _file_name(name: str) -> str:
    return f'{name}.json'


def _annotate(refs: List[dict], files: ReferFiles, report: Report) -> List[dict]:
    by_targets: Dict[tuple, dict] = {}
    for ref in refs:
        targets = tuple(target_annotation_ids(ref))
        if not targets:
            report(Problem('no target', f'ref {ref["ref_id"]}', f'Ref {ref["ref_id"]} has no target, and COCO\'s '
                           f'annotations are of objects. Parquet and the REFER files can hold it.'))
            continue
        key = (ref['image_id'], *targets)
        if key not in by_targets:
            by_targets[key] = dict(_unite(targets, files), sentences=[])
        by_targets[key]['sentences'] += [sentence['raw'] for sentence in ref['sentences']]
    annotations = list(by_targets.values())
    # A union is no annotation of the set: it gets a number of its own.
    number = max((one['id'] for one in annotations if one['id'] is not None), default=0)
    for one in annotations:
        if one['id'] is None:
            number += 1
            one['id'] = number
    return annotations


def _unite(targets: tuple, files: ReferFiles) -> Dict[str, Any]:
    entries = [files.annotations.whole[one] for one in targets]
    first = entries[0]
    polygons = _polygons_alone(entries)
    if len(entries) == 1 and (polygons is not None or isinstance(first['segmentation'], dict)):
        return first
    image = files.images.whole[first['image_id']]
    mask = union_of_segmentations([one['segmentation'] for one in entries], image['height'], image['width'])
    rle = encode_mask(mask)
    own = first['id'] if len(entries) == 1 else None
    return dict(
        first,
        id=own,
        # COCO's tools take a list of polygons or one RLE, but no mixture.
        segmentation=polygons or rle,
        bbox=coco_mask.toBbox(rle).tolist(),
        area=int(mask.sum()))


def _polygons_alone(entries: List[dict]) -> Optional[list]:
    parts = [part for one in entries for part in (
        one['segmentation'] if isinstance(one['segmentation'], list) else [one['segmentation']])]
    return None if any(isinstance(part, dict) for part in parts) else parts
