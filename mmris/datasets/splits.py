"""Names of splits, as the original reader of the refs files understands them."""

import re
from typing import Iterable, List

SPLIT_ORDER = ('train', 'val', 'testA', 'testB', 'testC', 'test')

_TEST = re.compile(r'test([A-Z]*)')


def is_in_split(of_ref: str, split: str) -> bool:
    """Tell whether a ref belongs to a split.

    A ref of ``testAB`` belongs to ``testA``, to ``testB`` and to itself; every ``test...`` belongs to ``test``. Any
    other name stands for itself.

    Args:
        of_ref (str): What the refs file says of the ref.
        split (str): The split asked for.

    Returns:
        bool: Whether it does.
    """
    if of_ref == split:
        return True
    letters, wanted = _TEST.fullmatch(of_ref), _TEST.fullmatch(split)
    return bool(letters and wanted and len(wanted[1]) < 2 and wanted[1] in letters[1])


def list_splits(of_refs: Iterable[str]) -> List[str]:
    """List the splits that one can ask for.

    Args:
        of_refs (Iterable[str]): What the refs file says of its refs.

    Returns:
        list[str]: Those names, and ``testA`` and ``testB`` where only ``testAB`` is there; in the usual order.
    """
    names = set(of_refs)
    for name in of_refs:
        match = _TEST.fullmatch(name)
        if match and len(match[1]) > 1:
            names |= {f'test{letter}' for letter in match[1]}
    return [split for split in SPLIT_ORDER if split in names] + sorted(names - set(SPLIT_ORDER))


def normalise_split(name: str) -> str:
    """Bring the name of a split to the form of the refs files: ``validation`` is ``val``, ``testa`` is ``testA``."""
    name = name.lower()
    if name == 'validation':
        return 'val'
    return f'test{name[4:].upper()}' if name.startswith('test') else name


def hint_at_split(wanted: str, there: Iterable[str]) -> str:
    """Say what a split is called that goes by another name.

    Args:
        wanted (str): The split asked for, which is not there: ``'validation'``.
        there (Iterable[str]): The splits that are: ``'val'``.

    Returns:
        str: ``" It is called 'val' here."``; empty if none of them is a spelling of it.
    """
    found = next((one for one in there if normalise_split(one) == normalise_split(wanted)), None)
    return '' if found is None else f' It is called {found!r} here.'
