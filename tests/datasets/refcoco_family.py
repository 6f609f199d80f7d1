"""RefCOCO, RefCOCO+ and RefCOCOg in little: three sets on the same images, in the folders of `docs/data.md`."""

import pickle
import shutil
from pathlib import Path
from typing import Dict, List

from tests.conftest import write_set

# Images of each split to evaluate on, by the names of the mixed config; the others of the 12 are in train.
HELD_OUT: Dict[str, Dict[str, List[int]]] = {
    'refcoco_unc': dict(val=[1], testA=[2], testB=[3]),
    'refcoco_google': dict(val=[1, 4], test=[5]),
    'refcoco+_unc': dict(val=[2], testA=[1], testB=[3]),
    'refcocog_umd': dict(val=[6], test=[7, 3]),
    'refcocog_google': dict(val=[8]),
}
IMAGES = 12
IN_TRAIN = {9, 10, 11, 12}


def write_family(root: Path) -> Path:
    """Write `refcoco/`, `refcoco+/`, `refcocog/` and `coco/train2014/`; refs and sentences of all sets share ids."""
    for folder in ('refcoco', 'refcoco+', 'refcocog'):
        write_set(root / folder, images=IMAGES, refs_per_image=2, sentences=3)
        images = root / folder / 'images'
        shutil.move(images, root / 'coco/train2014') if folder == 'refcoco' else shutil.rmtree(images)
    for name, splits in HELD_OUT.items():
        folder, by = name.split('_')
        write_splits(root / folder, by, splits)
    (root / 'refcocog/refs(unc).p').unlink()
    return root


def write_splits(folder: Path, by: str, splits: Dict[str, List[int]]) -> None:
    """Write `refs(<by>).p` from the set's `refs(unc).p`: images of these splits, the others in train."""
    split_of = {image: split for split, images in splits.items() for image in images}
    refs = pickle.loads((folder / 'refs(unc).p').read_bytes())
    refs = [dict(ref, split=split_of.get(ref['image_id'], 'train')) for ref in refs]
    (folder / f'refs({by}).p').write_bytes(pickle.dumps(refs, protocol=2))
