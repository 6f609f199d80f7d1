"""Parameters that are trained alike, as one group of the optimiser."""

from typing import Any, Dict, List, Union

from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.optim import build_optim_wrapper as build_ungrouped
from torch import nn
from torch.optim import Optimizer


def build_optim_wrapper(model: nn.Module, config: Union[dict, ConfigDict]) -> OptimWrapper:
    """Build an optimiser wrapper as MMEngine does, and merge the groups of its optimiser.

    Args:
        model (nn.Module): The model to train.
        config (dict): Config of the wrapper and its optimiser.

    Returns:
        OptimWrapper: The wrapper.
    """
    wrapper = build_ungrouped(model, config)
    if isinstance(wrapper, OptimWrapper):
        merge_parameter_groups(wrapper.optimizer)
    return wrapper


def merge_parameter_groups(optimizer: Optimizer) -> None:
    """Merge groups whose options are equal, so that a step updates many parameters at once.

    With ``paramwise_cfg``, MMEngine makes a group of every parameter. An optimiser goes through its groups one by one,
    so each parameter then costs a GPU a dozen launches. Each parameter is updated as before.

    Args:
        optimizer (Optimizer): The optimiser. Its groups are replaced, in the order of the first of each kind.
    """
    merged: List[Dict[str, Any]] = []
    for group in optimizer.param_groups:
        options = _options(group)
        same = next((one for one in merged if _options(one) == options), None)
        if same is None:
            merged.append(dict(group, params=list(group['params'])))
        else:
            same['params'] += group['params']
    optimizer.param_groups[:] = merged


def _options(group: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in group.items() if name != 'params'}
