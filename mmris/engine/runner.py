"""MMEngine's runner, with restarts that leave no trace and distribution over processors."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner, load_state_dict
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from mmris.checkpoints import name_as_model, read_checkpoint, runs, unwrap_weights
from mmris.checkpoints.misfits import check_some_fit
from mmris.datasets.pipelines import resolve_pipelines, unresolve_pipelines
from mmris.evaluation import check_save_best, check_thresholds
from mmris.models.layers import average_running_statistics
from mmris.models.segmentors import ReferringSegmentor
from mmris.registry import RUNNERS
from mmris.utils import unwrap_model, write_atomically
from mmris.utils.terminal import use_utf8_log_files

from .agreement import agree_on_load_from, ask_main_process, check_same_progress
from .hooks.feature_cache_hook import FeatureCacheHook
from .parameter_groups import merge_parameter_groups
from .processors import join_processors, wrapper_of_processors
from .progress import accumulated_batches

# Settings of a data loader that PyTorch refuses, or that do nothing, where there are no workers.
_OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'multiprocessing_context', 'timeout')


@RUNNERS.register_module()
class ReferringRunner(Runner):
    """MMEngine's ``Runner`` (which see for all arguments), with these differences.

    - A checkpoint is written to a temporary name and renamed, so that it is whole or absent, and holds running
      statistics that all processes agree on.
    - Checkpoints are read as tensors and plain values alone. ``resume`` takes the last one; where that is torn, the
      one before it, with a warning.
    - The order of the data follows from the seed of the config alone, also where ranks draw apart.
    - Without GPUs, processes of torchrun are joined by gloo, and ``sync_bn`` is left out.

    With :class:`~mmris.engine.RestartHook`, a run that was killed and resumed ends with the same bits as one that was
    not.
    """

    @classmethod
    def from_cfg(cls, cfg: Union[Config, dict]) -> 'ReferringRunner':
        """Build a runner from a config, whose pipelines take images in as its protocol does."""
        cfg = deepcopy(cfg)
        resolve_pipelines(cfg)
        check_thresholds(cfg)
        check_save_best(cfg)
        return super().from_cfg(cfg)

    @property
    def base_seed(self) -> int:
        """int: The seed of all ranks; ``seed`` is this rank's own."""
        return self.seed - (self.rank if self._randomness_cfg.get('diff_rank_seed', False) else 0)

    def setup_env(self, env_cfg: Dict) -> None:
        """Set up the environment; without GPUs, join the processes by gloo.

        Raises:
            ValueError: If there is no GPU and the launcher is not ``pytorch``.
        """
        if self.distributed:
            join_processors(self.launcher)
        super().setup_env(env_cfg)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build MMEngine's logger, whose file holds any text."""
        logger = super().build_logger(*args, **kwargs)
        use_utf8_log_files(logger)
        return logger

    def wrap_model(self, model_wrapper_cfg: Optional[Dict], model: nn.Module) -> nn.Module:
        """Wrap a model for distributed training; without GPUs, without a device and SyncBatchNorm.

        A model of which nothing is trained stays as it is.
        """
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return model.to(get_device())
        if self.distributed and not torch.cuda.is_available():
            model_wrapper_cfg = {**wrapper_of_processors(self.cfg, self.logger), **(model_wrapper_cfg or {})}
        return super().wrap_model(model_wrapper_cfg, model)

    def register_hooks(self, *args, **kwargs) -> None:
        """Register hooks; for a model with a feature cache, also the hook that logs what the cache does."""
        super().register_hooks(*args, **kwargs)
        if getattr(unwrap_model(self.model), 'feature_cache', None) is not None:
            self.register_hook(FeatureCacheHook())

    def build_dataloader(self,
                         dataloader: Union[DataLoader, Dict],
                         seed: Optional[int] = None,
                         diff_rank_seed: bool = False) -> DataLoader:
        """Build a data loader whose order follows from :attr:`base_seed`.

        With ``num_workers=0``, what is about workers is left out: they are for debuggers and notebooks to do without.
        """
        if isinstance(dataloader, dict) and dataloader.get('num_workers', 0) == 0:
            dataloader = {name: value for name, value in dataloader.items() if name not in _OF_WORKERS}
        return super().build_dataloader(dataloader, seed=self.base_seed)

    def build_optim_wrapper(self, optim_wrapper: Union[Optimizer, OptimWrapper, Dict]) -> OptimWrapper:
        """Build the optimiser wrapper; of one built here, parameters that are trained alike become one group."""
        built = super().build_optim_wrapper(optim_wrapper)
        if built is not optim_wrapper and isinstance(built, OptimWrapper):
            merge_parameter_groups(built.optimizer)
        return built

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: Optional[Dict] = None) -> None:
        """Scale the rate by the samples of a step of the optimiser, those of accumulated batches too."""
        if auto_scale_lr is not None and auto_scale_lr.get('enable', False):
            accumulated = accumulated_batches(optim_wrapper)
            auto_scale_lr = dict(auto_scale_lr, base_batch_size=auto_scale_lr['base_batch_size'] / accumulated)
        super().scale_lr(optim_wrapper, auto_scale_lr)

    def train(self) -> nn.Module:
        """Train; see ``mmengine.runner.Runner.train``.

        Returns:
            nn.Module: The model.

        Raises:
            ValueError: If all of the model is frozen.
        """
        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            raise ValueError('There is nothing to train: model.frozen names all of the model. Name less, or evaluate '
                             'it as it is, with mmris test.')
        self.dump_config(self.work_dir)
        return super().train()

    def val(self) -> Dict[str, float]:
        """Evaluate the validation set; see ``mmengine.runner.Runner.val``.

        Returns:
            dict[str, float]: The scores.
        """
        hooks = self._hooks
        # Before a training MMEngine's hook is not ready to save the best, and there is nothing to save.
        self._hooks = [hook for hook in hooks if not isinstance(hook, CheckpointHook) or hasattr(hook, 'file_backend')]
        try:
            return super().val()
        finally:
            self._hooks = hooks

    def build_train_loop(self, loop: Union[BaseLoop, Dict]) -> BaseLoop:
        """Build the training loop; see ``mmengine.runner.Runner.build_train_loop``.

        Raises:
            ValueError: If an epoch has no batch, since the training set is smaller than one.
        """
        loop = super().build_train_loop(loop)
        loader = loop.dataloader
        if isinstance(loop, EpochBasedTrainLoop) and len(loader) == 0:
            raise ValueError(
                f'The training set has {len(loader.dataset)} samples, too few for a batch of {loader.batch_size} on '
                f'each of {self.world_size} processes, so an epoch would have no step. Lower '
                f'train_dataloader.batch_size, or use a larger set.')
        return loop

    def dump_config(self, folder: Optional[str] = None) -> None:
        """Write the config to a file: every run beside its logs, a training also to the work folder.

        Args:
            folder (str, optional): Where to. Default: None, the folder of this run's logs.
        """
        if is_main_process():
            config = deepcopy(self.cfg)
            # A copy to change and train again: what follows from inputs is made anew.
            unresolve_pipelines(config)
            name = Path(self.cfg.filename).name if self.cfg.filename else f'{self.timestamp}.py'
            config.dump(str(Path(self.log_dir if folder is None else folder) / name))

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
        checkpoint, model = read_checkpoint(filename), unwrap_model(self.model)
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
