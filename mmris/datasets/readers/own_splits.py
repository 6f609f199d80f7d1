"""Splits of people's own data, whose exports rarely have any."""

import hashlib
from typing import Any, Collection, Dict, Mapping, Optional

from .options import read_seed, read_shares
from .source import normalise_split

_KNOWN = ('train', 'val', 'validation', 'test')


def divide_images(names: Collection[str], options: Mapping[str, Any]) -> Dict[str, str]:
    """Divide images into splits.

    All sentences about an image are in one split. Which one depends on the image's name, on the names of the others
    and on the seed, not on their order.

    Args:
        names (Collection[str]): Names of the images, each once.
        options (Mapping[str, Any]): ``val_share`` and ``test_share``, from 0 to 1, and ``seed``. Default: all is in
            ``train``.

    Returns:
        dict[str, str]: The split of each: ``'train'``, ``'val'`` or ``'test'``. Of a share above 0 it has at least one
        image.

    Raises:
        ValueError: If an option has no such value, or there are too few images for the splits, or none.
    """
    shares, seed = read_shares(options), read_seed(options)
    counts = [max(1, round(share * len(names))) if share else 0 for share in shares]
    if not names:
        if any(shares):
            raise ValueError('--val-share and --test-share divide images whose split is not known, but the files tell '
                             'the splits of all. Leave these options out.')
        return {}
    if sum(counts) >= len(names):
        raise ValueError(f'{len(names)} image(s) are too few for --val-share {shares[0]:g} and --test-share '
                         f'{shares[1]:g}: {counts[0]} for val and {counts[1]} for test leave none for train. Add '
                         f'images, or make the shares smaller.')
    drawn = sorted(names, key=lambda name: hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'replace')).digest())
    return {
        name: 'val' if place < counts[0] else 'test' if place < sum(counts) else 'train'
        for place, name in enumerate(drawn)
    }


def read_split(name: Optional[str]) -> Optional[str]:
    """Read the name of a split or subset in an export.

    Args:
        name (str, optional): As the export has it: ``'Train'``, ``'validation'``, ``'testA'``, ``'mine'``.

    Returns:
        str, optional: As the refs files have it; names of one's own stay. None if there is none, or it is
        ``'default'``, as tools name the subset that nobody named.
    """
    name = (name or '').strip()
    lower = name.lower()
    if not name or lower == 'default':
        return None
    return normalise_split(name) if lower in _KNOWN or lower in ('testa', 'testb', 'testc') else name
