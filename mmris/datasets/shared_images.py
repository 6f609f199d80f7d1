"""Images that are in several splits: a model that was trained on one has seen images of the other."""

import hashlib
import os
from collections import Counter
from itertools import combinations
from typing import Any, Dict, Iterator

from mmris.utils.ids import Id

from .image_files import image_path
from .problems import printable
from .refer_files import ReferFiles
from .splits import list_splits


def note_shared_images(files: ReferFiles, image_folder: str, *, compare_files: bool, why: str) -> Iterator[str]:
    """Note which splits have images in common, whatever ids these have there.

    Args:
        files (ReferFiles): The set.
        image_folder (str): The images' folder.
        compare_files (bool): Whether files of different names are compared by their bytes too.
        why (str): What it means, a whole sentence after a space.

    Yields:
        str: A note for each pair of splits with the same images.
    """
    ids = {ref['image_id'] for ref in files.refs} & files.images.whole.keys()
    paths = {one: os.path.normpath(image_path(files.images.whole[one], image_folder)) for one in ids}
    digests = _digest_twins(set(paths.values())) if compare_files else {}
    images: Dict[str, Dict[Any, Id]] = {split: {} for split in list_splits({ref['split'] for ref in files.refs})}
    for ref in files.refs:
        one = ref['image_id']
        path = paths.get(one)
        # By the names in the file: testA and testB share those of testAB because they are meant to.
        images[ref['split']].setdefault((path is None, digests.get(path, one if path is None else path)), one)
    for one, other in combinations(images, 2):
        shared = [key for key in images[one] if key in images[other]]
        if not shared:
            continue
        copies = [[paths[images[split][key]] for split in (one, other)] for key in shared if not key[0]]
        first = next((pair for pair in copies if pair[0] != pair[1]), None)
        such = '' if first is None else f', such as {first[0]} and its copy {first[1]}'
        yield printable(f'{len(shared):,} images are in both {one} and {other}{such}.{why}')


def _digest_twins(paths: set) -> Dict[str, bytes]:
    """Digests of the files that another one may be a copy of, since it is of the same size."""
    sizes = {path: os.path.getsize(path) for path in sorted(paths) if os.path.isfile(path)}
    counts = Counter(sizes.values())
    digests = {}
    for path, size in sizes.items():
        if counts[size] > 1:
            try:
                with open(path, 'rb') as file:
                    digests[path] = hashlib.file_digest(file, 'sha256').digest()
            except OSError:
                # Reported as a broken image file.
                continue
    return digests
