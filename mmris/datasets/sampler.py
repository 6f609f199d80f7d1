"""Which samples come when, and to which process."""

from typing import Iterator, List, Sized

from mmengine.dataset.sampler import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmris.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ReferringSampler(DefaultSampler):
    """MMEngine's ``DefaultSampler`` that passes epoch and seed on to data sets that draw afresh in each.

    Args:
        dataset (Sized): The data set, or a wrapper with ``dataset`` or ``datasets``.
        **kwargs: See ``mmengine.dataset.DefaultSampler``.
    """

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the sampler and of the data set below it, which gets the sampler's seed too."""
        super().set_epoch(epoch)
        _set_epoch(self.dataset, epoch, self.seed)


def _set_epoch(dataset: object, epoch: int, seed: int) -> None:
    if hasattr(dataset, 'set_epoch'):
        dataset.set_epoch(epoch, seed)
    elif hasattr(dataset, 'dataset'):
        _set_epoch(dataset.dataset, epoch, seed)
    else:
        for part in getattr(dataset, 'datasets', ()):
            _set_epoch(part, epoch, seed)


@DATA_SAMPLERS.register_module()
class EvaluationBatchSampler(Sampler):
    """Deals whole batches to the processes, in the order of the data set, each batch once.

    The batches are the same for any number of processes. So are then the predictions, to the last bit: floating point
    sums depend on what is computed together. Nothing is padded; some processes may get a batch less.

    Args:
        sampler (DefaultSampler): Gives the data set. Passed by MMEngine, as is ``batch_size``.
        batch_size (int): Samples a batch; the last may have fewer.
    """

    def __init__(self, sampler: DefaultSampler, batch_size: int) -> None:
        self.dataset: Sized = sampler.dataset
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[List[int]]:
        for start in self._starts():
            yield list(range(start, min(start + self.batch_size, len(self.dataset))))

    def __len__(self) -> int:
        return len(self._starts())

    def _starts(self) -> range:
        rank, processes = get_dist_info()
        return range(rank * self.batch_size, len(self.dataset), processes * self.batch_size)
