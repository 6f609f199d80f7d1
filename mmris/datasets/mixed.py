"""Several sets as one, to train on."""

from typing import Mapping, Optional

from mmengine.dataset import ConcatDataset
from mmengine.logging import print_log

from mmris.registry import DATASETS


@DATASETS.register_module()
class MixedDataset(ConcatDataset):
    """Several sets one after the other, such as RefCOCO, RefCOCO+ and RefCOCOg (train on them in random order).

    For training alone: ids of refs and sentences are each set's own, so that results of two sets could not be told
    apart by them. Evaluate one set at a time, as :class:`~mmris.engine.SplitTestLoop` does.

    Args:
        datasets (dict[str, dict]): By a name of one's choice, the config of each data set, a
            :class:`RefCOCODataset` unless it has another ``type``; None for one that a config takes back. They come in
            the order of their names.
        seed (int): Seed of the draws. Each set draws by another, so that samples of the same index in two sets do
            not share theirs. Defaults to 0.
        **shared: What the data sets have in common: ``data_root, split, exclude, pipeline, ...``. What one says itself
            goes first.

    Raises:
        ValueError: If ``datasets`` is no dict or names no data set, or ``test_mode`` is set.
        FileNotFoundError, ValueError: See :class:`RefCOCODataset`.
    """

    # Whose settings **shared are.
    passes_on_to = 'RefCOCODataset'

    def __init__(self, *, datasets: Mapping[str, Optional[dict]], seed: int = 0, **shared) -> None:
        if not isinstance(datasets, Mapping):
            raise ValueError(f'datasets of MixedDataset must be a dict of configs by name, but got {datasets!r:.80}.')
        # By name: a config that was written and read again has its keys in another order.
        chosen = {name: settings for name, settings in sorted(datasets.items()) if settings is not None}
        if not chosen:
            raise ValueError('MixedDataset needs at least one data set, such as datasets=dict(refcoco=dict(...)).')
        if shared.get('test_mode') or any(settings.get('test_mode') for settings in chosen.values()):
            raise ValueError('MixedDataset is to train on: ids of refs and sentences are each set\'s own, and scores '
                             'are told apart by them. Evaluate one set at a time: SplitTestLoop(splits=...).')
        defaults = dict(type='mmris.RefCOCODataset', **shared)
        super().__init__([
            DATASETS.build({**defaults, 'seed': seed + position, **settings})
            for position, settings in enumerate(chosen.values())
        ])
        sizes = ', '.join(f'{name} {len(part):,}' for name, part in zip(chosen, self.datasets))
        print_log(f'{len(self):,} samples of {len(chosen)} sets: {sizes}.', logger='current')

    @property
    def split(self) -> str:
        """str: The split of the data sets, or their splits."""
        return ', '.join(dict.fromkeys(part.split for part in self.datasets))

    @property
    def num_expressions(self) -> int:
        """int: Expressions of all samples, as many of each as are drawn."""
        return sum(part.num_expressions for part in self.datasets)

    def set_epoch(self, epoch: int, seed: int = 0) -> None:
        """Set the epoch, and the seed of the run, that draws belong to, in all data sets."""
        for part in self.datasets:
            part.set_epoch(epoch, seed)
