"""Which samples come when, and to which process."""

import math
from typing import Iterator, List, Optional, Sized

import torch
from mmengine.dataset.sampler import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmris.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ReferringSampler(DefaultSampler):
    """MMEngine's ``DefaultSampler`` that passes epoch and seed on to data sets that draw afresh in each.

    With ``draws`` an epoch has so many samples, whatever the data sets have. Each is of any set of a
    :class:`MixedDataset` at equal odds, however large the sets are, and then any sample of that set, none of which
    comes again before all have come. The order follows from seed and epoch.

    Args:
        dataset (Sized): The data set, or a wrapper with ``dataset`` or ``datasets``.
        shuffle (bool): Draw the order anew in each epoch. Default: True.
        seed (int, optional): Seed of the order, the same in all processes. Default: None, a random one.
        round_up (bool): Give all processes the same number of samples, for which some come twice. Default: True.
        draws (int, optional): Samples an epoch in all processes together, rounded up to as many for each. Default:
            None, each sample once.

    Raises:
        ValueError: If ``draws`` is not positive, or is set without ``shuffle``.
    """

    def __init__(self,
                 dataset: Sized,
                 shuffle: bool = True,
                 seed: Optional[int] = None,
                 round_up: bool = True,
                 *,
                 draws: Optional[int] = None) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.draws = draws
        if draws is None:
            return
        if draws < 1:
            raise ValueError(f'draws of ReferringSampler must be at least 1, but got {draws}.')
        if not shuffle:
            raise ValueError(f'draws={draws} of ReferringSampler are random: set shuffle=True, or leave draws out.')
        self.num_samples = math.ceil(draws / self.world_size)
        self.total_size = self.num_samples * self.world_size

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices of this process's samples."""
        if self.draws is None:
            return super().__iter__()
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        drawn = _draw([len(part) for part in getattr(self.dataset, 'datasets', (self.dataset, ))], self.total_size,
                      generator)
        return iter(drawn[self.rank::self.world_size])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the sampler and of the data set below it, which gets the sampler's seed too."""
        super().set_epoch(epoch)
        _set_epoch(self.dataset, epoch, self.seed)


def _draw(sizes: List[int], count: int, generator: torch.Generator) -> List[int]:
    """Draw indices into sets that stand one after the other: each of any set, then of those that had fewest turns."""
    indices, start = torch.empty(count, dtype=torch.int64), 0
    chosen = torch.randint(len(sizes), (count, ), generator=generator)
    for part, size in enumerate(sizes):
        places = (chosen == part).nonzero().squeeze(1)
        rounds = [torch.randperm(size, generator=generator) for _ in range(math.ceil(len(places) / size))]
        if rounds:
            indices[places] = start + torch.cat(rounds)[:len(places)]
        start += size
    return indices.tolist()


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
