"""Stops a run whose loss is not finite, before it spoils anything."""

from typing import Any, Dict, List

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmris.checkpoints import find_checkpoints
from mmris.registry import HOOKS
from mmris.utils import unwrap_model


class NonFiniteLossError(FloatingPointError):
    """A loss or a weight that is infinite or not a number."""


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Looks at losses between the forward and the backward pass, and at weights before they are saved.

    Works with any model whose ``forward(mode='loss')`` returns a dict of losses.

    Raises:
        NonFiniteLossError: If a loss is not finite, before any gradient of it exists; the message names the step, the
            batch's images and the last good checkpoint. If a weight is not finite, instead of saving it.
    """

    def __init__(self) -> None:
        self._data_batch: Any = None
        self._handle: Any = None

    def before_train(self, runner: Runner) -> None:
        """Begin to look."""
        self._handle = unwrap_model(runner.model).register_forward_hook(
            lambda module, inputs, outputs: self._check(runner, module, outputs))

    def after_train(self, runner: Runner) -> None:
        """Stop looking."""
        self._handle.remove()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, for the message."""
        self._data_batch = data_batch

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights."""
        spoiled = [
            name for name, value in checkpoint['state_dict'].items()
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not value.isfinite().all()
        ]
        if spoiled:
            raise NonFiniteLossError(
                f'{len(spoiled)} weights are not finite after step {checkpoint["meta"]["iter"]}, {spoiled[0]} among '
                f'them; they are not saved. {_remedy(runner)}')

    def _check(self, runner: Runner, module: nn.Module, outputs: Any) -> None:
        if not module.training or not isinstance(outputs, dict):
            return
        # One look at all of them: a look waits for the GPU.
        values = torch.stack([value.detach().float().mean() for value in _tensors(outputs)])
        if not values.isfinite().all():
            losses = ', '.join(f'{name}={_mean(value):.4g}' for name, value in outputs.items())
            raise NonFiniteLossError(
                f'The loss is not finite at step {runner.iter + 1} (epoch {runner.epoch + 1}, rank {get_rank()}): '
                f'{losses}. Images of this batch: {_images(self._data_batch)}. No weight was changed by this step. '
                f'{_remedy(runner)}')


def _tensors(losses: Dict[str, Any]) -> List[torch.Tensor]:
    return [part for value in losses.values() for part in (value if isinstance(value, (list, tuple)) else [value])]


def _mean(value: Any) -> float:
    return sum(float(part.detach().float().mean()) for part in _tensors(dict(value=value)))


def _images(data_batch: Any) -> str:
    # Other projects have batches of other forms.
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
    known = [getattr(sample, 'metainfo', {}) for sample in samples]
    return ', '.join(str(one.get('img_id', one.get('img_path'))) for one in known) or 'not known'


def _remedy(runner: Runner) -> str:
    found = find_checkpoints(runner.work_dir)
    last = f'The last good checkpoint is {found[0]}' if found else 'There is no checkpoint yet'
    return (f'{last}. Lower the learning rate, clip gradients (optim_wrapper.clip_grad), leave out --amp or take '
            f'bfloat16; then go on with --resume.')
