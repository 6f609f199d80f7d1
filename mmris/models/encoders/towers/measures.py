"""Measures of a tower: those of a published size, and what a config changes of them."""

from typing import Any, Dict, Mapping, Sequence, Tuple, Union


def complete_measures(architecture: Union[str, dict],
                      known: Mapping[str, Dict[str, Any]],
                      *,
                      title: str,
                      default: str,
                      multiples: Sequence[Tuple[str, str]] = ()) -> Dict[str, Any]:
    """Give all measures of an architecture that has ``layers``, some of which may be its ``global_layers``.

    Args:
        architecture (str or dict): A name, or some of the measures. Those left out are those of its ``name``.
        known (Mapping[str, dict]): The measures of each published size: whole numbers, and tuples of these.
        title (str): What the model is called in messages.
        default (str): The name of a dict without one.
        multiples (Sequence[tuple[str, str]]): Pairs of measures, the first of which must be a multiple of the second.
            Default: (), none.

    Returns:
        dict: Each measure by name: a whole number, or a tuple of whole numbers where the published sizes have one.

    Raises:
        ValueError: If the name is unknown, there are unknown entries, or numbers that do not go together.
    """
    changes = dict(architecture) if isinstance(architecture, dict) else dict(name=architecture)
    name, measures = changes.pop('name', default), ', '.join(known[default])
    # Not a look-up: a value that is no name may have no hash.
    if name not in list(known):
        raise ValueError(f'architecture {name!r} is no {title}. Known: {", ".join(known)}, or a dict of one of these '
                         f'as name and its differences in {measures}.')
    unknown = [str(measure) for measure in changes if measure not in known[name]]
    if unknown:
        raise ValueError(f'architecture has entries that {title} has not: {", ".join(unknown)}. It takes name, '
                         f'{measures}.')
    complete = {
        measure: _whole(measure, changes.get(measure, value), several=isinstance(value, tuple))
        for measure, value in known[name].items()
    }
    for whole, part in multiples:
        if complete[whole] % complete[part]:
            raise ValueError(f'{whole} of the architecture must be a multiple of {part}, but got {complete[whole]} and '
                             f'{complete[part]}.')
    layers = complete['layers']
    depth = sum(layers) if isinstance(layers, tuple) else layers
    if any(number > depth for number in complete.get('global_layers', ())):
        raise ValueError(f'global_layers of the architecture, counted from 1, are {complete["global_layers"]}, but it '
                         f'has {depth} layers.')
    return complete


def _whole(measure: str, value: Any, *, several: bool) -> Any:
    """A measure, a list of numbers as a tuple."""
    listed = isinstance(value, (list, tuple))
    numbers = tuple(value) if listed else (value, )
    if listed != several or any(not isinstance(number, int) or number < 1 for number in numbers):
        wanted = 'of whole numbers' if several else 'a whole number'
        raise ValueError(f'{measure} of the architecture must be {wanted} of at least 1, but got {value!r}.')
    return numbers if several else value
