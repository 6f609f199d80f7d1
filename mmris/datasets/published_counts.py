"""How large the published sets are."""

import os
from dataclasses import dataclass
from typing import Dict, Optional

from .data_files import REFS_SUFFIXES

PARTITION_OF_OBJECTS = 'google'


@dataclass(frozen=True)
class Counts:
    """Sizes of a split.

    Attributes:
        refs (int): Referred objects.
        sentences (int, optional): Their sentences. None: not published.
        images (int): Images that they are on.
    """

    refs: int
    sentences: Optional[int]
    images: int


@dataclass(frozen=True)
class PublishedSet:
    """A set as published.

    Attributes:
        title (str): Its name and who parted it.
        folder (str): Name of its folder.
        by (str): Who parted it, as in the name of the refs file.
        splits (dict[str, Counts]): Sizes of its splits.
    """

    title: str
    folder: str
    by: str
    splits: Dict[str, Counts]

    @property
    def shares_images(self) -> bool:
        """bool: Whether splits share images: Google's part the objects, the others the images."""
        return self.by == PARTITION_OF_OBJECTS


PUBLISHED_SETS = {
    'refcoco_unc': PublishedSet(
        'RefCOCO (unc)', 'refcoco', 'unc',
        dict(
            train=Counts(42404, 120624, 16994),
            val=Counts(3811, 10834, 1500),
            testA=Counts(1975, 5657, 750),
            testB=Counts(1810, 5095, 750))),
    'refcoco_google': PublishedSet(
        'RefCOCO (google)', 'refcoco', 'google',
        dict(train=Counts(40000, None, 19213), val=Counts(5000, None, 4559), test=Counts(5000, None, 4527))),
    'refcoco+_unc': PublishedSet(
        'RefCOCO+ (unc)', 'refcoco+', 'unc',
        dict(
            train=Counts(42278, 120191, 16992),
            val=Counts(3805, 10758, 1500),
            testA=Counts(1975, 5726, 750),
            testB=Counts(1798, 4889, 750))),
    'refcocog_umd': PublishedSet(
        'RefCOCOg (umd)', 'refcocog', 'umd',
        dict(train=Counts(42226, 80512, 21899), val=Counts(2573, 4896, 1300), test=Counts(5023, 9602, 2600))),
    'refcocog_google': PublishedSet(
        'RefCOCOg (google)', 'refcocog', 'google',
        dict(train=Counts(44822, 85474, 24698), val=Counts(5000, 9536, 4650))),
}
"""The published sets by ``<folder>_<by>``."""


def recognise_set(refs_path: str) -> Optional[PublishedSet]:
    """Tell which published set a refs file is, by its folder's name and its own.

    Args:
        refs_path (str): Such as ``data/refcoco+/refs(unc).p``.

    Returns:
        PublishedSet or None: The set; None for others.
    """
    folder, name = os.path.split(os.path.abspath(refs_path))
    stem, suffix = os.path.splitext(name)
    for published in PUBLISHED_SETS.values():
        if (os.path.basename(folder), stem) == (published.folder, f'refs({published.by})'):
            return published if suffix.lower() in REFS_SUFFIXES else None
    return None
