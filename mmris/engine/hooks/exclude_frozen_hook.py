"""Checkpoints without the parts that are frozen."""

from typing import Dict, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.checkpoints.runs import digest_parts, exclude_parts, find_excludable_parts
from mmris.registry import HOOKS
from mmris.utils import unwrap_model


@HOOKS.register_module()
class ExcludeFrozenHook(Hook):
    """Excludes the frozen parts that ``encoder.pretrained`` fills from checkpoints, and from their averages.

    The checkpoint stores a digest of each excluded part. :class:`~mmris.engine.ReferringRunner` and
    :func:`~mmris.checkpoints.load_model_weights` restore the parts when they load the checkpoint: from the weights that
    ``encoder.pretrained`` then names, which must be the same to the bit.
    """

    # After EMAHook, which exchanges weights and averages key by key; before RestartHook, whose validation may save.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._digests: Dict[str, str] = {}
        self._pretrained: Optional[Dict[str, str]] = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what ``encoder.pretrained`` gave, before other weights are loaded over it."""
        model = unwrap_model(runner.model)
        self._pretrained = digest_parts(model, find_excludable_parts(model))

    def before_train(self, runner: Runner) -> None:
        """Find the parts to exclude.

        Raises:
            ValueError: If there are none.
            ValueError: If one holds other weights than ``encoder.pretrained`` gives, so that they would be lost.
        """
        model = unwrap_model(runner.model)
        names = find_excludable_parts(model)
        if not names:
            frozen = ', '.join(getattr(model, 'frozen', ())) or 'none'
            raise ValueError(
                f'ExcludeFrozenHook (--exclude-frozen) finds nothing to exclude: no part that '
                f'model.encoder.pretrained fills is frozen (frozen: {frozen}). Set model.encoder.pretrained and '
                f'model.frozen, such as [\'encoder.image\', \'encoder.text\'], or save all.')
        self._digests = digest_parts(model, names)
        # Without a checkpoint to begin from, nothing has been loaded over them.
        changed = [] if self._pretrained is None else [
            name for name in names if self._pretrained[name] != self._digests[name]
        ]
        if changed:
            raise ValueError(
                f'ExcludeFrozenHook (--exclude-frozen) would lose {" and ".join(changed)}: the checkpoint that '
                f'training begins from gave it other weights than model.encoder.pretrained does. Set that to the '
                f'weights that the checkpoint was trained with, or save all.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Exclude them."""
        exclude_parts(checkpoint, self._digests)
