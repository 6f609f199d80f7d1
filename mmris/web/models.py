"""The models that a page offers."""

import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from mmris.apis import Predictor
from mmris.utils.configs import check_checkpoint
from mmris.utils.resources import check_config_file, find_config
from mmris.zoo import MODEL, check_kind, get_model

# Comes with mmris.
DEFAULT = 'cm-masksd-shaperef'


def find_loaders(names: Sequence[str], trained: Sequence[Tuple[str, str]],
                 **settings: Any) -> Dict[str, Callable[[], Predictor]]:
    """Find what loads each of some models, for :class:`Models`. Nothing is loaded or downloaded yet.

    Args:
        names (Sequence[str]): Names of the zoo.
        trained (Sequence[tuple[str, str]]): Config and checkpoint of each model that the user trained. If there is
            neither a name nor one of these, the model that comes with mmris is taken.
        **settings: ``device``, ``threshold`` and ``dtype``, as of :class:`~mmris.apis.Predictor`.

    Returns:
        dict[str, Callable]: By the names that the page shows, in the order given.

    Raises:
        ValueError: If there is no such name, or it is no whole model's.
        FileNotFoundError: If there is no such config or checkpoint.
    """
    loaders: Dict[str, Callable[[], Predictor]] = {}
    for name in names or ([] if trained else [DEFAULT]):
        check_kind(get_model(name), MODEL, weights=False)
        loaders[name] = partial(Predictor.from_pretrained, name, **settings)
    for config, checkpoint in trained:
        check_config_file(find_config(config))
        check_checkpoint(checkpoint)
        shown = f'{Path(config).stem} ({Path(checkpoint).name})'
        if shown in loaders:
            shown = f'{config} ({checkpoint})'
        loaders[shown] = partial(Predictor.trained, find_config(config), checkpoint, **settings)
    return loaders


class Models:
    """Models by name, each loaded when it is first asked for.

    Threads may share one. Two that ask for the same model load it once.

    Args:
        loaders (Mapping[str, Callable]): For each name what loads its model: takes nothing, returns a
            :class:`~mmris.apis.Predictor`.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], Predictor]]) -> None:
        if not loaders:
            raise ValueError('A page needs at least one model.')
        self._loaders = dict(loaders)
        self._loaded: Dict[str, Predictor] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> List[str]:
        """list[str]: In the order given."""
        return list(self._loaders)

    def get(self, name: str) -> Predictor:
        """Return a model, loaded if it was not.

        Args:
            name (str): One of :attr:`names`.

        Returns:
            Predictor: The model.

        Raises:
            ValueError: If there is no such name.
            Exception: Whatever its loader raises. The next call tries again.
        """
        if name not in self._loaders:
            raise ValueError(f'This page has no model {name!r}. Choose one of {", ".join(self._loaders)}.')
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]
