"""The models that a page offers."""

import threading
from typing import Callable, Dict, List, Mapping

from mmris.apis import Predictor


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
