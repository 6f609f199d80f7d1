"""The feature cache: what frozen towers make of images is computed once."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor, nn

from mmris.names import DTYPES
from mmris.registry import MODELS
from mmris.structures import PixelDigests
from mmris.utils.sizes import in_words

from .disk_store import DiskStore
from .entries import pack, unpack
from .identity import describe_numbers, describe_settings, digest_weights, fingerprint, name_store
from .memory_store import MemoryStore
from .room import Room, folder_sizes


@MODELS.register_module()
class FeatureCache:
    """Keeps what frozen towers make of images, in files or in memory.

    An entry is found by a digest of the pixels that enter the tower. Entries lie in stores, one for each digest of all
    else that they depend on: weights, settings, normalisation, versions, numeric types. So a stale entry cannot be
    found.

    Args:
        folder (str or Path, optional): Where to keep features, for all processes and later runs. Default: None, in
            memory: for this process alone.
        max_gigabytes (float, optional): When that many gigabytes (1e9 bytes) are kept, nothing more is stored. It
            counts all of ``folder``, also what other models left there. Default: None, 100 in a folder; without one,
            it must be set.
        dtype (str): ``'float32'`` keeps numbers as the tower computes them; ``'float16'`` and ``'bfloat16'`` round
            them to half the bytes. Default: ``'float32'``.

    Attributes:
        generation (int): How often weights may have changed in ways that cannot be noticed.

    Raises:
        ValueError: If ``dtype`` is unknown, or ``max_gigabytes`` is not positive, or missing without ``folder``.
    """

    def __init__(self,
                 *,
                 folder: Optional[Union[str, Path]] = None,
                 max_gigabytes: Optional[float] = None,
                 dtype: str = 'float32') -> None:
        if dtype not in DTYPES:
            raise ValueError(f'model.feature_cache.dtype must be one of {", ".join(DTYPES)}, but got {dtype!r}.')
        if max_gigabytes is None and folder is None:
            raise ValueError('model.feature_cache has no folder, so it keeps features in memory: set max_gigabytes to '
                             'what each process may take, or set folder.')
        if max_gigabytes is not None and not max_gigabytes > 0:
            raise ValueError(f'model.feature_cache.max_gigabytes must be more than 0, but got {max_gigabytes}.')
        self.folder = None if folder is None else Path(folder)
        self.dtype = getattr(torch, dtype)
        self.room = Room(int((100 if max_gigabytes is None else max_gigabytes) * 1e9), self.folder)
        self.generation = 0
        self.stores: Dict[str, Union[DiskStore, MemoryStore]] = {}
        self._counts = [0, 0]

    def __deepcopy__(self, memo: dict) -> 'FeatureCache':
        """Itself: copies of a model share it, since each looks for features of its own weights."""
        return self

    def store(self, name: str) -> Union[DiskStore, MemoryStore]:
        """Open a store, which stays open."""
        if name not in self.stores:
            disk = self.folder is not None
            self.stores[name] = DiskStore(self.folder / name, self.room) if disk else MemoryStore(self.room)
        return self.stores[name]

    def weights_may_differ(self) -> None:
        """Have the weights read again before the next entry is looked for."""
        self.generation += 1

    def count(self, found: int, computed: int) -> None:
        """Count images."""
        self._counts[0] += found
        self._counts[1] += computed

    def take_counts(self) -> Tuple[int, int]:
        """Return how many images were found and how many computed since this was last asked."""
        counts, self._counts = tuple(self._counts), [0, 0]
        return counts

    def describe(self) -> str:
        """Describe what is kept, in a line."""
        entries = sum(len(store) for store in self.stores.values())
        content = f'{entries:,} {"entry" if entries == 1 else "entries"}'
        size = in_words(sum(store.size for store in self.stores.values()))
        if self.folder is None:
            return f'{content}, {size} in memory'
        line = f'{content}, {size} in {self.folder} ({", ".join(sorted(self.stores)) or "nothing"})'
        others = {name: size for name, size in folder_sizes(self.folder).items() if name not in self.stores}
        if not others:
            return line
        listed = ', '.join(f'{name} ({in_words(size)})' for name, size in others.items())
        return f'{line}. This run did not use {listed}: remove these folders if you no longer need them'


class PartCache:
    """The cache of one part of an encoder.

    Args:
        cache (FeatureCache): Where features are kept.
        name (str): The part's name.
        modules (tuple[str]): Submodules of the encoder that compute it.
        preprocessing (Mapping[str, Any]): What is done to the pixels of the view that it looks at.
    """

    def __init__(self, cache: FeatureCache, *, name: str, modules: Tuple[str, ...],
                 preprocessing: Mapping[str, Any]) -> None:
        self.cache = cache
        self.name = name
        self.modules = modules
        self.preprocessing = dict(preprocessing)
        self._seen: Any = None
        self._facts: Dict[str, Any] = {}

    # Files are read and written by Python, also for compiled stages.
    @torch.compiler.disable
    def recall(self, encoder: nn.Module, digests: Optional[PixelDigests],
               compute: Callable[[Optional[Tensor]], Any]) -> Any:
        """Take from the cache what it has of B images, and compute and store the rest.

        Args:
            encoder (nn.Module): The encoder that has the part.
            digests (PixelDigests, optional): Of the images. None: all are computed, and none is stored.
            compute (Callable): Computes the part of some images, given by their rows; of all, given None.

        Returns:
            Any: What ``compute`` gives of all images.

        Raises:
            ValueError: If images of a training come without digests, so that the cache would do nothing.
        """
        if digests is None:
            if encoder.training:
                raise ValueError('model.feature_cache finds features by digests of the pixels, but the images come '
                                 'without: set digests=True of PackReferringInputs in the training pipeline.')
            return compute(None)
        modules = {name: encoder.get_submodule(name) for name in self.modules}
        device = next(tensor.device for module in modules.values() for tensor in module.parameters())
        store = self.cache.store(self._store_name(encoder, modules, device))
        first_rows = {digest: row for row, digest in reversed(list(enumerate(digests.values)))}
        entries = store.read(first_rows)
        missing = sorted(row for digest, row in first_rows.items() if digest not in entries)
        self.cache.count(len(digests.values) - len(missing), len(missing))
        if missing:
            whole = len(missing) == len(digests.values)
            value = compute(None if whole else torch.tensor(missing, device=device))
            if whole and self.cache.room.is_closed:
                return value
            for row, entry in zip(missing, pack(value, self.cache.dtype)):
                entries[digests.values[row]] = entry
                store.add(digests.values[row], entry)
            if whole and self.cache.dtype is torch.float32:
                return value
        return unpack([entries[digest] for digest in digests.values], device)

    def _store_name(self, encoder: nn.Module, modules: Mapping[str, nn.Module], device: torch.device) -> str:
        parts: List[nn.Module] = list(modules.values())
        seen = (self.cache.generation, fingerprint(parts))
        if seen != self._seen:
            self._facts = dict(
                weights=digest_weights(parts),
                settings=describe_settings(encoder, modules),
                preprocessing=self.preprocessing,
                stored=str(self.cache.dtype))
            self._seen = seen
        return name_store(self.name, {**self._facts, **describe_numbers(device)})
