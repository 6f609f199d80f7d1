"""Splits of people's own data, whose exports rarely have any."""

import hashlib
from typing import Any, Collection, Dict, Mapping, Optional

from .options import read_seed, read_shares
from .source import normalise_split

_KNOWN = ('train', 'val', 'validation', 'test')


def divide_images(names: Collection[str], options: Mapping[str, Any], where: str) -> Dict[str, str]:
    """Divide images into splits.

    All sentences about an image are in one split. Each image has a number from 0 to 1, hashed from its name and the
    seed: below ``val_share`` it is in ``val``, below ``val_share + test_share`` in ``test``. So images keep their
    splits when others are added, unless one was moved because a split would have had none.

    Args:
        names (Collection[str]): Names of the images, each once.
        options (Mapping[str, Any]): ``val_share`` and ``test_share``, from 0 to 1, and ``seed``. Default: all is in
            ``train``.
        where (str): The files, for messages.

    Returns:
        dict[str, str]: The split of each: ``'train'``, ``'val'`` or ``'test'``. ``train`` has at least one image, and
        so has a split of a share above 0: if chance gave it none, the one whose number is next.

    Raises:
        ValueError: If an option has no such value, or there are fewer images than splits, or none to divide.
    """
    (val_share, test_share), seed = read_shares(options), read_seed(options)
    if not names:
        if val_share or test_share:
            raise ValueError(f'{where}: --val-share and --test-share divide images whose split is not known, but the '
                             f'files tell the splits of all. Leave these options out.')
        return {}
    for_val, for_test = int(val_share > 0), int(test_share > 0)
    if for_val + for_test >= len(names):
        raise ValueError(f'{where}: {len(names)} image(s) are too few for --val-share {val_share:g} and --test-share '
                         f'{test_share:g}, because each split needs one. Add images, or leave these options out.')
    numbers = {name: _draw(name, seed) for name in names}
    drawn = sorted(numbers, key=lambda name: (numbers[name], name))
    val_end = max(for_val, sum(number < val_share for number in numbers.values()))
    test_end = max(val_end + for_test, sum(number < val_share + test_share for number in numbers.values()))
    test_end = min(test_end, len(drawn) - 1)
    val_end = min(val_end, test_end - for_test)
    return {
        name: 'val' if place < val_end else 'test' if place < test_end else 'train'
        for place, name in enumerate(drawn)
    }


def _draw(name: str, seed: int) -> float:
    digest = hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'replace')).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


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
