"""MMEngine's runner, whose checkpoints are whole, safe to read and the same in all processes."""

import re
from pathlib import Path
from typing import Callable, List, Sequence, Tuple, Union

from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook
from mmengine.runner import BaseLoop, Runner, load_state_dict
from torch import nn

from mmris.checkpoints import name_as_model, read_whole, runs, unwrap_weights
from mmris.checkpoints.misfits import check_some_fit
from mmris.models.layers import average_running_statistics
from mmris.models.segmentors import ReferringSegmentor
from mmris.utils import unwrap_model, write_atomically

from .agreement import agree_on_load_from, ask_main_process, check_same_progress


class CheckpointedRunner(Runner):
    """What of :class:`ReferringRunner` is about checkpoints: loading, resuming, saving."""

    base_seed: int

    def load_or_resume(self) -> None:
        """Load weights or resume, as the config says.

        ``resume=True`` goes on from ``load_from``, or from the last checkpoint in the work folder if there is none.
        ``resume='last'`` takes that in any case; where there is none, training begins anew, from ``load_from`` if set.
        To begin from, ``load_from`` may also be the work folder of another training: its best checkpoint.

        Raises:
            FileNotFoundError: If ``load_from``, to begin from, is no file, and no folder with a best checkpoint.
            UnreadableCheckpointError: If there are checkpoints to resume from, and none is whole.
            RuntimeError: If processes resumed from different checkpoints.
        """
        if not self._has_loaded and self._resume and (self._resume == 'last' or self._load_from is None):
            chosen = ask_main_process(lambda: runs.last_whole_checkpoint(self.work_dir, self.logger))
            if chosen is None:
                self.logger.info(f'There is no checkpoint in {self.work_dir} to resume from: training begins anew.')
                self._resume = False
            else:
                self._load_from = chosen
        if not self._has_loaded and not self._resume and self._load_from is not None:
            self._load_from = agree_on_load_from(self._load_from)
        super().load_or_resume()
        begins = isinstance(self._train_loop, BaseLoop) and not self._has_loaded
        random = runs.find_uninitialized_frozen(unwrap_model(self.model)) if begins else []
        if random:
            self.logger.warning(
                f'{len(random)} weights that model.frozen names, such as {random[0]}, stay at random: neither '
                f'load_from nor model.encoder.pretrained gives them.')

    def resume(self,
               filename: str,
               resume_optimizer: bool = True,
               resume_param_scheduler: bool = True,
               map_location: Union[str, Callable] = 'default') -> None:
        """Go on from a checkpoint: weights, optimiser, schedule, counters, seed.

        Raises:
            RuntimeError: If processes did not read the same.
        """
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        check_same_progress((self.epoch, self.iter), filename)
        # A run without a seed of its own in the config goes on with the one that it drew.
        self.train_dataloader.sampler.seed = self.base_seed

    def load_checkpoint(self,
                        filename: str,
                        map_location: Union[str, Callable] = 'cpu',
                        strict: bool = False,
                        revise_keys: Sequence[Tuple[str, str]] = ()) -> dict:
        """Load weights, read as tensors and plain values alone.

        Args:
            filename (str): Checkpoint file.
            map_location (str or callable): Not needed: tensors are read to the processor's memory, and go from there
                where the model is.
            strict (bool): Whether keys that are missing or left over are an error; always so when resuming. Defaults
                to False.
            revise_keys (Sequence[tuple[str, str]]): Regular expressions and what to put in place of them in keys, once
                these are rid of wrappers' names. Default: ().

        Returns:
            dict: The checkpoint.

        Raises:
            FileNotFoundError: If there is no such file.
            UnreadableCheckpointError: If it is torn, or holds more than tensors and training state.
            RuntimeError: If shapes differ, no key fits, or keys are missing or left over and ``strict``.
            RuntimeError: If it was saved without frozen parts, and ``encoder.pretrained`` does not give them.
            RuntimeError: If a training would begin from it with frozen weights that nothing gives.
            ValueError: If it holds averaged weights, and the resumed run would not average.
        """
        checkpoint, model = read_whole(filename), unwrap_model(self.model)
        own = model.state_dict()
        state = unwrap_weights(checkpoint, filename, own)
        for pattern, replacement in revise_keys:
            state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
        checkpoint['state_dict'] = name_as_model(state, own, filename)
        if isinstance(checkpoint.get('meta'), dict):
            # MMEngine would run it as a config.
            checkpoint['meta'].pop('config', None)
        if self._resume and 'ema_state_dict' in checkpoint and not self._averages():
            raise ValueError(
                f'{filename} was trained with averaged weights, which the run to resume would leave out. Add --ema '
                f'as before, or EMAHook to custom_hooks.')
        runs.restore_excluded_parts(checkpoint, model, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        state = checkpoint['state_dict']
        check_some_fit(own, state, filename)
        if not self._resume:
            runs.check_frozen(model, state, filename)
        load_state_dict(model, state, strict or bool(self._resume), self.logger)
        if not self._resume and isinstance(model, ReferringSegmentor):
            model.init_branch_copies(loaded=state)
        self._has_loaded = True
        self.logger.info(f'Loaded checkpoint {filename}.')
        return checkpoint

    def save_checkpoint(self, out_dir: str, filename: str, *args, **kwargs) -> None:
        """Save a checkpoint that is whole or absent. To be called by all processes; the main one writes.

        Args:
            out_dir (str): Folder.
            filename (str): File name.
            *args: See ``mmengine.runner.Runner.save_checkpoint``.
            **kwargs: See ``mmengine.runner.Runner.save_checkpoint``.
        """
        model = unwrap_model(self.model)
        average_running_statistics(model)
        for average in self._averages():
            average_running_statistics(average.module, model)
        if '://' in out_dir:
            # Backends of remote files put an object as a whole.
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
        elif is_main_process():
            with write_atomically(Path(out_dir) / filename) as temporary:
                super().save_checkpoint(str(temporary.parent), temporary.name, *args, **kwargs)

    def _averages(self) -> List[nn.Module]:
        """The averaged copies of the model."""
        return [hook.ema_model for hook in self.hooks if isinstance(hook, EMAHook)]
