"""Parts of a model by name."""

from torch import nn


def find_part(model: nn.Module, name: str) -> nn.Module:
    """Find a submodule.

    Args:
        model (nn.Module): The model.
        name (str): Its dotted name, as ``'encoder.image'``.

    Returns:
        nn.Module: The submodule.

    Raises:
        ValueError: If there is none of that name; the message lists those that there are.
    """
    part, done = model, []
    for step in name.split('.'):
        parts = dict(part.named_children())
        if step not in parts:
            where = '.'.join(done) or 'The model'
            raise ValueError(
                f'frozen names {name!r}, but there is no such part. {where} has {", ".join(parts) or "no parts"}.')
        part = parts[step]
        done.append(step)
    return part
