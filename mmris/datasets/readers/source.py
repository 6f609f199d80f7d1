"""The files of a set, opened by what they contain."""

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from glob import escape as glob_escape
from glob import glob
from typing import Any, List, Mapping, Optional, Sequence

from mmris.datasets.splits import is_in_split, normalise_split
from mmris.datasets.stored_split import read_stored_split

from .opening import open_value

_SPLIT = re.compile(r'(?:^|[^a-z])(train|validation|val|test(?:[a-c]{1,3}(?![a-z]))?)(?![a-z])', re.IGNORECASE)


class SourceFile:
    """A file or folder of a set.

    Args:
        path (str): Where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @cached_property
    def value(self) -> Any:
        """Any: What it holds: the value of JSON or of a pickle, a list of JSON Lines, a :class:`ParquetTable`, a
        :class:`TextTable` (CSV), an :class:`xml.etree.ElementTree.Element` (the root), or a :class:`Folder`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is of another format, or not whole.
        """
        return open_value(self.path)

    @property
    def split(self) -> Optional[str]:
        """str, optional: The split that it tells (see :func:`split_of_file`)."""
        return split_of_file(self.path)


@dataclass(frozen=True)
class Source:
    """What a reader gets.

    Attributes:
        files (list[SourceFile]): The files, sorted by their paths. Those whose name tells a split that is not wanted
            are left out.
        path (str): What the user named: a file, a folder or a pattern.
        instances_path (str, optional): The COCO annotation file that goes with it, which may be missing.
        image_folder (str, optional): Where the images are.
        options (Mapping[str, Any]): Options of ``convert_dataset``. Default: none.
        splits (Sequence[str], optional): The splits whose refs are wanted; refs of others may be left out. Default:
            None, all.
        with_masks (bool): Whether images and annotations are wanted beside the refs. A reader that has to open a
            file a mask need not do so otherwise. Default: True.
    """

    files: List[SourceFile]
    path: str
    instances_path: Optional[str] = None
    image_folder: Optional[str] = None
    options: Mapping[str, Any] = field(default_factory=dict)
    splits: Optional[Sequence[str]] = None
    with_masks: bool = True


def find_files(path: str) -> List[str]:
    """Find the files that a path stands for.

    Args:
        path (str): A file; a pattern such as ``data/finetune_refcoco_*.json``; or a folder. A folder stands for the
            Parquet files in it or in its folder ``data``; if there are none, for the JSON files in it that tell a
            split (see :func:`split_of_file`); if there are none, for those of its folders ``train``, ``val`` and
            ``test`` that have a JSON file beside each image; otherwise for itself.

    Returns:
        list[str]: The paths, sorted. Empty if there is nothing.
    """
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        return sorted(one for one in glob(path) if os.path.isfile(one))
    tables = [*glob(os.path.join(glob_escape(path), '*.parquet')),
              *glob(os.path.join(glob_escape(path), 'data', '*.parquet'))]
    parts = [one for suffix in ('json', 'jsonl') for one in glob(os.path.join(glob_escape(path), f'*.{suffix}'))
             if split_of_name(os.path.basename(one)) is not None or read_stored_split(one) is not None]
    folders = [one for one in (os.path.join(path, split) for split in ('train', 'val', 'test'))
               if os.path.isdir(one) and stems_of_pairs(one)]
    if stems_of_pairs(path):
        # Names of images may tell a split by chance.
        return [path]
    return sorted(tables or parts or folders) or [path]


def stems_of_pairs(folder: str) -> List[str]:
    """List names, without their ending, of which a folder has a JSON file and a JPEG image; sorted."""
    names = set(os.listdir(folder))
    stems = (os.path.splitext(name)[0] for name in names if name.endswith('.json'))
    return sorted(stem for stem in stems if f'{stem}.jpg' in names)


def select_files(paths: Sequence[str], splits: Optional[Sequence[str]]) -> List[str]:
    """Select the files that may hold one of these splits, by what they tell (see :func:`split_of_file`).

    Args:
        paths (Sequence[str]): The files.
        splits (Sequence[str], optional): The splits. None: all.

    Returns:
        list[str]: The files of these splits, and those that do not tell one. A single file is always read: the name of
        a file with all splits, or of its folder, may have the name of a split in it by chance.
    """
    if len(paths) == 1:
        return list(paths)
    return [path for path in paths if splits is None or _may_hold(split_of_file(path), splits)]


def _may_hold(named: Optional[str], splits: Sequence[str]) -> bool:
    # A file `test` may hold what its rows call testA, and a file `val_refcoco_unc` is known as one of val.
    names = {name for one in splits for name in (one, split_of_name(one) or one)}
    return named is None or any(is_in_split(named, one) or is_in_split(one, named) for one in names)


def split_of_file(path: str) -> Optional[str]:
    """Tell which split a file is of: the one that mmris stored in it, or else the one that its name tells.

    Args:
        path (str): A file or folder.

    Returns:
        str, optional: See :func:`split_of_name`; a split of the user's own is as it was written.
    """
    stored = read_stored_split(path)
    return split_of_name(path) if stored is None else stored


def split_of_name(path: str) -> Optional[str]:
    """Tell which split a file is of, by its name, or else by its folder if that is called like a split.

    Args:
        path (str): Such as ``finetune_refcoco_testA.json``, ``data/validation-00000-of-00001.parquet`` or
            ``val/1.json``. Of a folder, only its own name counts.

    Returns:
        str, optional: ``'train'``, ``'val'``, ``'test'``, ``'testA'``, ...; None if neither name has one.
    """
    folder, name = os.path.split(os.path.normpath(path))
    is_folder = os.path.isdir(path)
    found = _SPLIT.findall(name if is_folder else os.path.splitext(name)[0])
    if not found and not is_folder:
        # A folder may be called test_data, whatever it holds.
        match = _SPLIT.fullmatch(os.path.basename(folder))
        found = match and [match[1]]
    return normalise_split(found[-1]) if found else None
