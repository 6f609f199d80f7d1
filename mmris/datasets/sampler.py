"""A sampler that tells the data set which epoch it is."""

from mmengine.dataset.sampler import DefaultSampler

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
