"""Epochs that can begin in their middle, where a checkpoint was written within one."""

from itertools import islice
from typing import Iterable, List

from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from mmris.registry import LOOPS


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's ``EpochBasedTrainLoop`` (which see for all arguments), which continues within an epoch.

    A checkpoint tells how many epochs and how many steps in all are done. MMEngine's loop repeats the epoch from its
    first batch; this one begins with the first batch that is not done. No image of those before it is read.
    """

    @property
    def batches_done(self) -> int:
        """int: Batches of the current epoch that are done."""
        return self._iter - self._epoch * len(self.dataloader)

    def run_epoch(self) -> None:
        """Train the epoch, or the rest of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self.batches_done
        # Counted up by each step.
        for place, batch in enumerate(self._batches_from(done), start=done):
            self.run_iter(place, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _batches_from(self, done: int) -> Iterable[dict]:
        return remaining_batches(self.dataloader, done) if done else self.dataloader


def remaining_batches(loader: DataLoader, done: int) -> DataLoader:
    """Make a data loader of what is left of an epoch.

    Args:
        loader (DataLoader): The loader of whole epochs, whose sampler has been told the epoch.
        done (int): Batches to leave out.

    Returns:
        DataLoader: Gives the batches that ``loader`` would give after those.
    """
    batches: List[List[int]] = list(islice(iter(loader.batch_sampler), done, None))
    of_workers = {}
    if loader.num_workers:
        of_workers = dict(
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            prefetch_factor=loader.prefetch_factor,
            timeout=loader.timeout)
    return DataLoader(
        loader.dataset,
        batch_sampler=batches,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        generator=loader.generator,
        **of_workers)
