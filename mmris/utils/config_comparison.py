"""Parts of configs, and how two configs differ."""

from typing import Any, Dict, List

from mmengine.config import Config


def get_part(config: Config, key: str) -> Any:
    """Get one value of a config.

    Args:
        config (Config): The config.
        key (str): Such as ``'model.distillation.lmvsd'``; entries of lists by number, ``'custom_hooks.0'``.

    Returns:
        Any: The value there, of plain Python.

    Raises:
        ValueError: If there is none; the message lists what there is instead.
    """
    value: Any = config.to_dict()
    done: List[str] = []
    for name in key.split('.'):
        entries = _entries(value)
        if name not in entries:
            there = f'There are {", ".join(entries)}.' if entries else f'It is {value!r}.'
            raise ValueError(f'{".".join(done) or "The config"} has no {name}. {there}')
        value = entries[name]
        done.append(name)
    return value


def compare(first: Any, second: Any, key: str = '') -> List[str]:
    """List what differs between two configs or parts of them, key by key.

    Args:
        first (Any): Nested dicts and lists.
        second (Any): Others.
        key (str): Where they stand, which every line begins with. Defaults to ''.

    Returns:
        list[str]: ``  key: value -> other value``, ``- key: value`` for what only the first has, ``+ key: value`` for
        what only the second has.
    """
    left, right = flatten(first, key), flatten(second, key)
    lines = []
    for name in dict.fromkeys([*left, *right]):
        if name not in right:
            lines.append(f'- {name}: {left[name]!r}')
        elif name not in left:
            lines.append(f'+ {name}: {right[name]!r}')
        elif left[name] != right[name]:
            lines.append(f'  {name}: {left[name]!r} -> {right[name]!r}')
    return lines


def flatten(value: Any, key: str = '') -> Dict[str, Any]:
    """Turn nested dicts, and lists of dicts, into one dict by dotted keys; an empty one stays a value."""
    entries = _entries(value)
    if not entries or (isinstance(value, (list, tuple)) and not all(isinstance(entry, dict) for entry in value)):
        return {key: value}
    flat: Dict[str, Any] = {}
    for name, entry in entries.items():
        flat.update(flatten(entry, f'{key}.{name}' if key else name))
    return flat


def _entries(value: Any) -> Dict[str, Any]:
    if isinstance(value, dict):
        return {str(name): entry for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return {str(place): entry for place, entry in enumerate(value)}
    return {}
