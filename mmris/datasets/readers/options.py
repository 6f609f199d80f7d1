"""Options of ``convert_dataset`` that readers take, checked."""

from typing import Any, Collection, List, Mapping, Optional, Sequence, Tuple

from mmris.names import flag_of
from mmris.utils.ids import read_whole_number
from mmris.utils.text import shorten

SPLIT_OPTIONS = ('val_share', 'test_share', 'seed')


def read_text(options: Mapping[str, Any], name: str, default: Optional[str] = None,
              choices: Optional[Sequence[str]] = None) -> Optional[str]:
    """Read an option that is text.

    Args:
        options (Mapping[str, Any]): The options.
        name (str): Which one.
        default (str, optional): What a missing one, or None, stands for. Default: None.
        choices (Sequence[str], optional): The values that it may have. Default: None, any.

    Returns:
        str, optional: Its value.

    Raises:
        ValueError: If it is no text, or none of the choices.
    """
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not value or (choices is not None and value not in choices):
        expected = 'a name' if choices is None else f'one of {", ".join(choices)}'
        raise ValueError(f'{flag_of(name)} is {shorten(value)}, but needs to be {expected}.')
    return value


def read_flag(options: Mapping[str, Any], name: str) -> Optional[bool]:
    """Read an option that is true, false or not given.

    Args:
        options (Mapping[str, Any]): The options.
        name (str): Which one.

    Returns:
        bool, optional: Its value; None if it is not given.

    Raises:
        ValueError: If it is anything else.
    """
    value = options.get(name)
    if isinstance(value, str):
        value = dict(true=True, false=False).get(value.lower(), value)
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f'{flag_of(name)} is {shorten(value)}, but needs to be true or false.')


def read_shares(options: Mapping[str, Any]) -> Tuple[float, float]:
    """Read which shares of the images ``val`` and ``test`` get.

    Args:
        options (Mapping[str, Any]): The options ``val_share`` and ``test_share``. Default of both: 0.

    Returns:
        tuple[float, float]: The two shares, of a sum below 1.

    Raises:
        ValueError: If one is not from 0 to 1, or nothing is left for ``train``.
    """
    val, test = (_read_share(options, name) for name in ('val_share', 'test_share'))
    if val + test >= 1:
        raise ValueError(f'--val-share {val:g} and --test-share {test:g} leave nothing for train. Their sum needs to '
                         f'be below 1.')
    return val, test


def _read_share(options: Mapping[str, Any], name: str) -> float:
    value = options.get(name)
    try:
        share = 0.0 if value is None else float(value)
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError(f'{flag_of(name)} is {shorten(value)}, but a share is a number from 0 to 1.')
    return share


def read_seed(options: Mapping[str, Any]) -> int:
    """Read the seed by which images are divided.

    Args:
        options (Mapping[str, Any]): The options.

    Returns:
        int: ``seed``. Default: 0.

    Raises:
        ValueError: If it is not a whole number.
    """
    value = options.get('seed')
    seed = 0 if value is None else read_whole_number(value)
    if seed is None:
        raise ValueError(f'--seed is {shorten(value)}, but needs to be a whole number.')
    return seed


def choose_text_key(path: str, options: Mapping[str, Any], there: Collection[str], what: str, remedy: str) -> str:
    """Choose the field that holds the sentences.

    Args:
        path (str): The file, for messages.
        options (Mapping[str, Any]): ``text_key`` names it. Not needed if there is only one.
        there (Collection[str]): Fields that may hold them.
        what (str): What such a field is, in the plural: ``'attributes of text'``.
        remedy (str): What to do if there is none; a whole sentence.

    Returns:
        str: The field.

    Raises:
        ValueError: If there is none, or several and the option does not name one of them.
    """
    chosen = read_text(options, 'text_key')
    names: List[str] = sorted(there)
    if not names:
        raise ValueError(f'{path} has no {what}. {remedy}')
    listed = ', '.join(shorten(name) for name in names[:20])
    if chosen is not None and chosen not in names:
        raise ValueError(f'{path} has no {shorten(chosen)} (--text-key) among its {what}. There are: {listed}.')
    if chosen is None and len(names) > 1:
        raise ValueError(f'{path} has several {what}: {listed}. Name the one with the sentences: --text-key '
                         f'{names[0]}, for example.')
    return names[0] if chosen is None else chosen
