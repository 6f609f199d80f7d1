"""Checkpoints without the towers that are frozen."""

from typing import Dict, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.checkpoints.left_out import digest_parts, find_parts_to_leave_out, leave_out
from mmris.registry import HOOKS
from mmris.utils import unwrap_model


@HOOKS.register_module()
class LeaveOutFrozenHook(Hook):
    """Leaves out of checkpoints the frozen parts that ``encoder.pretrained`` fills, averages of them too.

    What was left out is noted with a digest. :class:`~mmris.engine.ReferringRunner` and
    :func:`~mmris.checkpoints.load_model_weights` put it back when they load the checkpoint, from what
    ``encoder.pretrained`` names then, or refuse if that is not the same to the bit.
    """

    # After EMAHook, which exchanges weights and averages key by key; before RestartHook, whose validation may save.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._digests: Dict[str, str] = {}
        self._pretrained: Optional[Dict[str, str]] = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what ``encoder.pretrained`` gave, before other weights are loaded over it."""
        model = unwrap_model(runner.model)
        self._pretrained = digest_parts(model, find_parts_to_leave_out(model))

    def before_train(self, runner: Runner) -> None:
        """Find the parts to leave out.

        Raises:
            ValueError: If there are none.
            ValueError: If one holds other weights than ``encoder.pretrained`` gives, so that they would be lost.
        """
        model = unwrap_model(runner.model)
        names = find_parts_to_leave_out(model)
        if not names:
            frozen = ', '.join(getattr(model, 'frozen', ())) or 'none'
            raise ValueError(
                f'LeaveOutFrozenHook (--leave-out-frozen) finds nothing to leave out: no part that '
                f'model.encoder.pretrained fills is frozen (frozen: {frozen}). Set model.encoder.pretrained and '
                f'model.frozen, such as [\'encoder.image\', \'encoder.text\'], or save all.')
        self._digests = digest_parts(model, names)
        # Without a checkpoint to begin from, nothing has been loaded over them.
        changed = [] if self._pretrained is None else [
            name for name in names if self._pretrained[name] != self._digests[name]
        ]
        if changed:
            raise ValueError(
                f'LeaveOutFrozenHook (--leave-out-frozen) would lose {" and ".join(changed)}: the checkpoint that '
                f'training begins from gave it other weights than model.encoder.pretrained does. Set that to the '
                f'weights that the checkpoint was trained with, or save all.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave them out."""
        leave_out(checkpoint, self._digests)
