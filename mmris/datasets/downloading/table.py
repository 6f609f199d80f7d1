"""The data sets that can be downloaded: from where, what they hold, and where each file goes."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Dict, List, Optional, Tuple
from urllib.parse import quote

_WAYBACK = 'https://web.archive.org/web/{time}if_/https://bvisionweb1.cs.unc.edu/licheng/referit/data/{file}'
_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file at an address.

    Args:
        address (str): Where it is served.
        path (str): Where it is kept, below the folder of all data: ``refcoco.zip``.
        size (int, optional): Its bytes. Default: None, not known.
    """
    address: str
    path: str
    size: Optional[int] = None

    @property
    def name(self) -> str:
        """str: Its name without folders."""
        return os.path.basename(self.path)

    @property
    def is_archive(self) -> bool:
        """bool: Whether it is a zip archive to unpack, and not a file of the set."""
        return self.path.endswith('.zip')


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of the table. It is either annotation files with fixed names, or a folder of images.

    Args:
        name (str): What users write.
        what (str): What it is, in a few words.
        folder (str): Where its files go, below the folder of all data: ``refcoco``, ``coco/train2014``.
        sources (tuple[RemoteFile]): One archive, or the files themselves.
        licence (str): Of the files, as far as it is stated.
        files (tuple[str]): Names of the annotation files. Default: none, it is a folder of images.
        image_count (int): How many images the folder has. Default: 0, it is a set of annotations.
        images (str, optional): Name of the row that has the images of these annotations. Default: None.
    """
    name: str
    what: str
    folder: str
    sources: Tuple[RemoteFile, ...]
    licence: str
    files: Tuple[str, ...] = ()
    image_count: int = 0
    images: Optional[str] = None

    @property
    def refs_files(self) -> List[str]:
        """list[str]: Names of the files with sentences."""
        return [name for name in self.files if 'refs' in name]

    def wants(self, name: str) -> bool:
        """Whether a file of this name, without folders, belongs to the set."""
        if self.files:
            return name in self.files
        return name.lower().endswith(_IMAGE_SUFFIXES) and not name.startswith('.')

    def present(self, root: Path) -> List[str]:
        """Names of the set's files that are there below ``root``, the folder of all data, in order."""
        folder = root / self.folder
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if self.wants(entry.name) and entry.is_file())

    def is_complete(self, root: Path) -> bool:
        """Whether all its files are there below ``root``, by their names and number."""
        return len(self.present(root)) >= (len(self.files) or self.image_count)

    def missing_sources(self, root: Path) -> List[RemoteFile]:
        """What has to be downloaded: nothing of a complete set, and no archive or file that is there."""
        if self.is_complete(root):
            return []
        return [source for source in self.sources if not (root / source.path).is_file()]


def _refer(name: str, time: str, title: str, refs: Tuple[str, ...], licence: str, images: str) -> DataSet:
    """A set of the ``refer`` project, whose server is gone, as the Internet Archive keeps it."""
    source = RemoteFile(address=_WAYBACK.format(time=time, file=f'{name}.zip'), path=f'{name}.zip')
    files = ('instances.json', *(f'refs({by}).p' for by in refs))
    return DataSet(
        name=name, what=f'{title}: sentences and masks ({", ".join(refs)})', folder=name, sources=(source, ),
        licence=licence, files=files, images=images)


def _hub_file(repository: str, name: str, folder: str) -> RemoteFile:
    endpoint = os.environ.get('HF_ENDPOINT', '').rstrip('/') or 'https://huggingface.co'
    address = f'{endpoint}/datasets/{repository}/resolve/main/{quote(name, safe="()")}'
    return RemoteFile(address=address, path=f'{folder}/{name}')


_COCO, _SAIAPR = 'coco-train2014', 'saiapr'
_GREFCOCO_FILES = ('grefs(unc).json', 'instances.json')

DATA_SETS: Dict[str, DataSet] = {
    row.name: row
    for row in (
        _refer('refcoco', '20220413011718', 'RefCOCO', ('unc', 'google'), 'Apache-2.0', _COCO),
        _refer('refcoco+', '20220413011656', 'RefCOCO+', ('unc', ), 'Apache-2.0', _COCO),
        _refer('refcocog', '20220413012904', 'RefCOCOg', ('umd', 'google'), 'CC BY 4.0', _COCO),
        _refer(
            'refclef', '20220413011817', 'RefClef (ReferIt)', ('unc', 'berkeley'), 'Apache-2.0 (repository)', _SAIAPR),
        DataSet(
            name='grefcoco', what='gRefCOCO: several targets, or none', folder='grefcoco',
            sources=tuple(_hub_file('FudanCVL/gRefCOCO', name, 'grefcoco') for name in _GREFCOCO_FILES),
            licence='not stated', files=_GREFCOCO_FILES, images=_COCO),
        DataSet(
            name=_COCO, what='images of RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO', folder='coco/train2014',
            sources=(RemoteFile(
                address='http://images.cocodataset.org/zips/train2014.zip', path='train2014.zip',
                size=13510573713), ),
            licence='each image its own (Flickr)', image_count=82783),
        DataSet(
            name=_SAIAPR, what='images of RefClef', folder='saiapr_tc-12',
            sources=(RemoteFile(
                address=_WAYBACK.format(time='20220515000000', file='images/saiapr_tc-12.zip'),
                path='saiapr_tc-12.zip'), ),
            licence='not stated', image_count=19997),
    )
}
"""The data sets by name."""


def get_data_set(name: str) -> DataSet:
    """Look up a data set.

    Args:
        name (str): Its name, in any case.

    Returns:
        DataSet: Its row.

    Raises:
        ValueError: If there is no such data set. The message names all of them, and the nearest one.
    """
    row = DATA_SETS.get(name.lower())
    if row is not None:
        return row
    near = get_close_matches(name.lower(), DATA_SETS, n=1)
    hint = f' Did you mean {near[0]}?' if near else ''
    raise ValueError(f'There is no data set {name!r} to download.{hint} Data sets: {", ".join(DATA_SETS)}.')
