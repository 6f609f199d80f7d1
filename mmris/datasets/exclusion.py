"""Images that a training must not see, because a split of another set is evaluated on them."""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from mmengine.logging import print_log

from mmris.utils.ids import id_order

from .readers import find_files
from .refer_files import ReferFiles, read_ref_images
from .splits import hint_at_split, is_in_split


@dataclass(frozen=True)
class ExcludedSplits:
    """The images of some splits of a refs file.

    Attributes:
        refs_path (str): The refs file, for messages.
        splits (list[str]): The splits.
        names (dict[Any, set[str]]): By image id, what the image's file may be called, without its ending. Empty where
            the refs do not tell: ``file_name`` is the image's, as a rule with another number appended.
    """

    refs_path: str
    splits: List[str]
    names: Dict[Any, Set[str]]


def read_excluded_splits(exclude: Mapping[str, Optional[dict]], data_root: str) -> Dict[str, ExcludedSplits]:
    """Read which images are to be left out, from each file once as long as it stays as it is.

    Args:
        exclude (dict[str, dict]): See :class:`RefCOCODataset`.
        data_root (str): Folder that refs files lie below.

    Returns:
        dict[str, ExcludedSplits]: By the names of ``exclude``, of those that are not None.

    Raises:
        FileNotFoundError: If a refs file is missing; the message tells how to do without it.
        ValueError: If an entry is not of that form, a split is not in its file, or a file is not a whole one. A
            ref of such a split that does not say which image it is on is an error too: the image could not be left out.
    """
    if not isinstance(exclude, Mapping):
        raise ValueError(f'exclude must be a dict of dict(refs_file=..., splits=[...]) by name, but got {exclude!r}.')
    return {name: _read(name, entry, data_root) for name, entry in exclude.items() if entry is not None}


def exclude_images(refs: Sequence[dict], files: ReferFiles, excluded: Mapping[str, ExcludedSplits], *,
                   name: str) -> List[dict]:
    """Leave out the refs whose image is in one of the excluded splits, and log how many.

    Args:
        refs (Sequence[dict]): Refs of ``files``.
        files (ReferFiles): Their images.
        excluded (dict[str, ExcludedSplits]): What to leave out.
        name (str): What the refs are called in the log.

    Returns:
        list[dict]: The other refs.

    Raises:
        ValueError: If an image has the id of an excluded one and another file name, or its file name and another id.
    """
    images = {ref['image_id'] for ref in refs}
    for splits in excluded.values():
        _check_names(images, files, splits)
    shared = {one: images & splits.names.keys() for one, splits in excluded.items()}
    excluded_ids = set().union(*shared.values())
    kept = [ref for ref in refs if ref['image_id'] not in excluded_ids]
    before, after = _count_sentences(refs), _count_sentences(kept)
    by_name = ', '.join(f'{one} ({", ".join(excluded[one].splits)}) {len(ids):,}' for one, ids in shared.items())
    print_log(
        f'{name}: {len(excluded_ids):,} of {len(images):,} images are left out with {before - after:,} of {before:,} '
        f'expressions, since they are in splits to evaluate on: {by_name or "none named"}.',
        logger='current')
    return kept


def _read(name: str, entry: dict, data_root: str) -> ExcludedSplits:
    if not (isinstance(entry, dict) and entry.keys() == {'refs_file', 'splits'}
            and isinstance(entry['splits'], (list, tuple)) and entry['splits']):
        raise ValueError(f'exclude[{name!r}] must be dict(refs_file=\'refs(unc).p\', splits=[\'val\', ...]) or None, '
                         f'but got {entry!r}.')
    path, splits = os.path.join(data_root, entry['refs_file']), list(entry['splits'])
    files = find_files(path)
    if not files:
        raise FileNotFoundError(
            f'{path} is missing, whose images of {", ".join(splits)} are to be left out of the training. Get it '
            f'(docs/data.md); or set exclude[{name!r}] of the data set to None, and do not evaluate on these splits: '
            f'the training may then have seen their images.')
    state = tuple((one.st_size, one.st_mtime_ns) for one in map(os.stat, files))
    there, names = _read_images(path, tuple(splits), state)
    unknown = [split for split in splits if not any(is_in_split(of_ref, split) for of_ref in there)]
    if unknown:
        raise ValueError(f'exclude[{name!r}] names split {", ".join(map(repr, unknown))}, which is not in {path}. '
                         f'Splits there: {", ".join(there)}.{hint_at_split(unknown[0], there)}')
    return ExcludedSplits(path, splits, names)


# Each set of a MixedDataset leaves out the same images. Sizes and times tell whether the files are still those read.
@lru_cache(maxsize=32)
def _read_images(path: str, splits: Tuple[str, ...],
                 state: Tuple[Tuple[int, int], ...]) -> Tuple[List[str], Dict[Any, Set[str]]]:
    """The splits that a refs file has, and the images of some of them, with what their files may be called."""
    images, there = read_ref_images(path, splits)
    names: Dict[Any, Set[str]] = {}
    for image, file_name in images:
        names.setdefault(image, set()).update(_possible_names(file_name))
    return there, names


def _possible_names(file_name: Any) -> Iterator[str]:
    if isinstance(file_name, str):
        whole = _stem(file_name)
        yield whole
        yield whole.rpartition('_')[0]


def _stem(file_name: str) -> str:
    return os.path.splitext(os.path.basename(file_name))[0]


def _check_names(images: Set[Any], files: ReferFiles, excluded: ExcludedSplits) -> None:
    """That one id means one image here and there, without which ids would tell nothing."""
    ids = {name: image for image, names in excluded.names.items() for name in names}
    for image, other, name in _differing(images, files, excluded.names, ids):
        raise ValueError(
            f'Image {image} of {files.instances_path} is {name}, and in {excluded.refs_path} image {other} goes by '
            f'{max(excluded.names[other])}: the ids of the two do not mean the same images, so that none can '
            f'be left out by them. All sets of the RefCOCO family have COCO\'s ids; give these the same ones.')


def _differing(images: Set[Any], files: ReferFiles, names: Dict[Any, Set[str]],
               ids: Dict[str, Any]) -> Iterator[Tuple[Any, Any, str]]:
    """Images with an id and a name of which the other file knows one, but not both."""
    for image in sorted(images & files.images.whole.keys(), key=id_order):
        name = _stem(files.images.whole[image]['file_name'])
        by_name = ids.get(name, image)
        if by_name != image:
            yield image, by_name, name
        elif names.get(image) and name not in names[image]:
            yield image, image, name


def _count_sentences(refs: Sequence[dict]) -> int:
    return sum(len(ref['sentences']) for ref in refs)
