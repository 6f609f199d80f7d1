"""MMEngine's runner, with restarts that leave no trace and distribution over processors."""

import errno
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from itertools import count
from pathlib import Path
from typing import Dict, Optional, Union

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from mmengine.visualization import Visualizer
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from mmris.datasets.batches import collate_batch
from mmris.datasets.pipelines import resolve_pipelines, unresolve_pipelines
from mmris.evaluation import check_save_best, check_thresholds
from mmris.models.segmentors import compile_stages
from mmris.registry import RUNNERS
from mmris.utils import unwrap_model, write_atomically
from mmris.utils.folder_lock import FolderInUseError, hold_folder
from mmris.utils.memory import keep_freed_memory
from mmris.utils.terminal import survive_full_disks, use_utf8_log_files

from .agreement import ask_main_process
from .checkpointed_runner import CheckpointedRunner
from .hooks import FeatureCacheHook, PreemptionHook, WatchdogHook
from .parameter_groups import merge_parameter_groups
from .processors import join_processors, wrapper_of_processors
from .progress import accumulated_batches
from .train_loop import ResumableTrainLoop
from .workers import explain_dead_workers, init_worker

# Settings of a data loader that PyTorch refuses, or that do nothing, where there are no workers.
_OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'multiprocessing_context', 'timeout')
# Runs of this process so far.
_RUNS = count(1)


@RUNNERS.register_module()
class ReferringRunner(CheckpointedRunner):
    """MMEngine's ``Runner`` (which see for all arguments), with these differences.

    - A checkpoint is written to a temporary name and renamed, so that it is whole or absent, and holds running
      statistics that all processes agree on.
    - Checkpoints are read as tensors and plain values alone. ``resume`` takes the last one; where that is torn, the
      one before it, with a warning.
    - The order of the data follows from the seed of the config alone, also where ranks draw apart.
    - Without GPUs, processes of torchrun are joined by gloo, and ``sync_bn`` is left out.
    - Parameters that are trained alike are one group of the optimiser.
    - Where the model runs on the processor, the process keeps the memory that it frees.
    - Batches come from data workers in one piece, and with a GPU in pinned memory.
    - ``compile`` of the config, True or options of ``torch.compile``, compiles the model stage by stage.

    With :class:`~mmris.engine.RestartHook`, a run that was killed and resumed ends with the same bits as one that was
    not.
    """

    _is_compiled = False

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
        """Set up the environment; without GPUs, join the processes by gloo and keep freed memory.

        Raises:
            ValueError: If there is no GPU and the launcher is not ``pytorch``.
        """
        if self.distributed:
            join_processors(self.launcher)
        super().setup_env(env_cfg)
        if get_device() == 'cpu':
            keep_freed_memory()

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build MMEngine's logger, whose file holds any text, and which a full disk does not stop."""
        logger = super().build_logger(*args, **kwargs)
        use_utf8_log_files(logger)
        survive_full_disks(logger)
        return logger

    def build_visualizer(self, visualizer: Optional[Union[Visualizer, Dict]] = None) -> Visualizer:
        """Build a visualizer of this run alone: MMEngine gives a process one of each name, which writes to the folder
        of the first run."""
        if isinstance(visualizer, dict):
            visualizer = dict(visualizer, name=f'{self.experiment_name}, run {next(_RUNS)}')
        return super().build_visualizer(visualizer)

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
        """Build a data loader whose order follows from :attr:`base_seed`, and whose batches come in one piece.

        With ``num_workers=0``, what is about workers is left out: they are for debuggers and notebooks to do without.
        """
        if isinstance(dataloader, dict):
            left_out = _OF_WORKERS if dataloader.get('num_workers', 0) == 0 else ()
            dataloader = {name: value for name, value in dataloader.items() if name not in left_out}
            dataloader.setdefault('collate_fn', collate_batch)
            dataloader.setdefault('pin_memory', torch.cuda.is_available())
        built = super().build_dataloader(dataloader, seed=self.base_seed)
        if built is not dataloader and built.num_workers:
            built.worker_init_fn = partial(init_worker, built.worker_init_fn)
        return built

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
            FolderInUseError: If another training has the work folder.
            RuntimeError: If a data worker was killed.
            PreemptionError: If the training was asked to end, and has saved (see :class:`PreemptionHook`).
        """
        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            raise ValueError('There is nothing to train: model.frozen names all of the model. Name less, or evaluate '
                             'it as it is, with mmris test.')
        with ExitStack() as stack:
            stack.callback(self._close_hooks)
            error = ask_main_process(lambda: self._hold_work_dir(stack))
            if error is not None:
                raise FolderInUseError(error)
            self.dump_config(self.work_dir)
            with explain_dead_workers():
                return super().train()

    def _hold_work_dir(self, stack: ExitStack) -> Optional[str]:
        try:
            stack.enter_context(hold_folder(self.work_dir, self.logger.warning))
        except FolderInUseError as error:
            return str(error)
        return None

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
            self._close_hooks()

    def test(self) -> Dict[str, float]:
        """Evaluate the test set; see ``mmengine.runner.Runner.test``.

        Returns:
            dict[str, float]: The scores.
        """
        try:
            return super().test()
        finally:
            self._close_hooks()

    def _close_hooks(self) -> None:
        """Let go of signals and threads, also after an error: a notebook goes on."""
        for hook in self.hooks:
            if isinstance(hook, (PreemptionHook, WatchdogHook)):
                hook.close()

    def build_train_loop(self, loop: Union[BaseLoop, Dict]) -> BaseLoop:
        """Build the training loop; of one that counts epochs, that which can begin within an epoch.

        See ``mmengine.runner.Runner.build_train_loop``.

        Raises:
            ValueError: If an epoch has no batch, since the training set is smaller than one.
        """
        if isinstance(loop, dict) and (loop.get('by_epoch') or loop.get('type') == EpochBasedTrainLoop.__name__):
            loop = {name: value for name, value in loop.items() if name != 'by_epoch'}
            loop['type'] = ResumableTrainLoop.__name__
        loop = super().build_train_loop(loop)
        loader = loop.dataloader
        if isinstance(loop, EpochBasedTrainLoop) and len(loader) == 0:
            raise ValueError(
                f'The training set has {len(loader.dataset)} samples, too few for a batch of {loader.batch_size} on '
                f'each of {self.world_size} processes, so an epoch would have no step. Lower '
                f'train_dataloader.batch_size, or use a larger set.')
        return loop

    def _init_model_weights(self) -> None:
        """Initialise weights; MMEngine then writes what it did into the log, past the log's own handling of errors.

        Raises:
            OSError: If the disk is full.
        """
        try:
            super()._init_model_weights()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(error.errno, f'The log in {self.log_dir} cannot be written: {error.strerror}. Free space on '
                          f'that disk, or name another folder (--work-dir).') from error

    def _maybe_compile(self, target: str) -> None:
        """Compile the stages of the model if the config wants it; MMEngine would compile ``target``, a whole step."""
        wanted = self.cfg.get('compile', False)
        if wanted and not self._is_compiled:
            compile_stages(unwrap_model(self.model), **(wanted if isinstance(wanted, dict) else {}))
            self.logger.info('The stages of the model are compiled as they first run, which takes minutes.')
            self._is_compiled = True

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
            with write_atomically(Path(self.log_dir if folder is None else folder) / name) as temporary:
                config.dump(str(temporary))
