"""Parts of a model by name."""

from typing import Dict, Iterable, Union

from torch import nn


def find_part(model: nn.Module, name: str) -> Union[nn.Module, nn.Parameter]:
    """Find a submodule or a parameter.

    Args:
        model (nn.Module): The model.
        name (str): Its dotted name, as ``'encoder.image'`` or ``'neck.no_mask'``.

    Returns:
        nn.Module or nn.Parameter: What has that name.

    Raises:
        ValueError: If there is none of that name; the message lists those that there are.
    """
    part, done = model, []
    for step in name.split('.'):
        parts = _parts(part)
        if step not in parts:
            where = '.'.join(done) or 'The model'
            raise ValueError(
                f'frozen names {name!r}, but there is no such part. {where} has {", ".join(parts) or "no parts"}.')
        part = parts[step]
        done.append(step)
    return part


def _parts(part: Union[nn.Module, nn.Parameter]) -> dict:
    if isinstance(part, nn.Parameter):
        return {}
    return {**dict(part.named_children()), **dict(part.named_parameters(recurse=False))}


def check_names(**groups: Iterable[str]) -> None:
    """Check that no two losses would be logged under one name: the sum that is optimised would lack one.

    Args:
        **groups (Iterable[str]): Names of losses, or containers of losses by name, by what each group is called in the
            message.

    Raises:
        ValueError: If two of them have a name in common.
    """
    owners: Dict[str, str] = {}
    for group, members in groups.items():
        for name in members:
            if name in owners:
                raise ValueError(
                    f'{owners[name]} and {group} both have an entry {name!r}, so both would be loss_{name}, of which '
                    f'only one would be optimised. Give one of them another name.')
            owners[name] = group
