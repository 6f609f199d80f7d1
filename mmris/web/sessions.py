"""What is kept of each visitor."""

import secrets
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
from torch import Tensor

from mmris.apis import Prediction
from mmris.apis.encoded_image import EncodedImage
from mmris.structures import TensorStructure

from .limits import Limits


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model answered a visitor.

    Attributes:
        model (str): Its name.
        prediction (Prediction): With the thresholds that the visitor has chosen last.
        remarks (tuple[str]): For each sentence what there is to say besides its note, or ``''``.
    """

    model: str
    prediction: Prediction
    remarks: Tuple[str, ...]


@dataclass(eq=False)
class Session:
    """One visitor's picture, and what follows from it. Hold ``lock`` to look at it or change it.

    Attributes:
        folder (Path): Of the files that this visitor's page shows. No other visitor can guess its name.
        pixels (ndarray, optional): ``(H0, W0, 3)`` uint8 RGB: the picture. None: there is none yet.
        name (str): Of the picture's file.
        encoded (dict[str, EncodedImage]): The picture as each model has encoded it, by the model's name.
        answer (Answer, optional): The last one about this picture. None: there is none yet.
    """

    folder: Path
    pixels: Optional[np.ndarray] = None
    name: str = ''
    encoded: Dict[str, EncodedImage] = field(default_factory=dict)
    answer: Optional[Answer] = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        """Forget the picture, all that follows from it, and their files."""
        self.pixels, self.name = None, ''
        self.encoded, self.answer = {}, None
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def memory(self) -> int:
        """int: Bytes of all that is kept."""
        # Lists of their own, since another thread may be at work.
        kept = [encoded.state for encoded in list(self.encoded.values())]
        answer, pixels = self.answer, self.pixels
        return sum(map(count_bytes, kept)) + (0 if pixels is None else pixels.nbytes) + (
            0 if answer is None else answer.prediction.probabilities.nbytes)


class Sessions:
    """The visitors who did something last.

    Threads may share one.

    Args:
        folder (Path): Where each visitor gets a folder. It is made if it is missing.
        limits (Limits): How many visitors, and how much of them, is kept.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, key: str) -> Session:
        """Return a visitor's session, a new one if none is kept, and put away those of too many others.

        Args:
            key (str): What the visitor is known by.

        Returns:
            Session: The session.
        """
        with self._lock:
            if key not in self._kept:
                folder = self._folder / secrets.token_urlsafe(24)
                folder.mkdir(parents=True)
                self._kept[key] = Session(folder)
            self._kept.move_to_end(key)
            closed = self._take_excess()
            session = self._kept[key]
        _remove(closed)
        return session

    def trim(self) -> None:
        """Put away what is too much by now."""
        with self._lock:
            closed = self._take_excess()
        _remove(closed)

    def close(self, key: str) -> None:
        """Forget a visitor, who has left."""
        with self._lock:
            closed = [self._kept.pop(key)] if key in self._kept else []
        _remove(closed)

    def _take_excess(self) -> List[Session]:
        """Take out sessions, the longest unused first, but none that is in use, nor the last one."""
        closed = []
        memory = sum(session.memory for session in self._kept.values())
        for key in list(self._kept)[:-1]:
            if len(self._kept) <= self._limits.visitors and memory <= self._limits.memory:
                break
            if not self._kept[key].lock.locked():
                closed.append(self._kept.pop(key))
                memory -= closed[-1].memory
        return closed


def count_bytes(structure: TensorStructure) -> int:
    """Count the bytes of a structure's tensors."""
    sizes: List[int] = []

    def count(tensor: Tensor) -> Tensor:
        sizes.append(tensor.nbytes)
        return tensor

    structure.map(count)
    return sum(sizes)


def _remove(sessions: List[Session]) -> None:
    for session in sessions:
        shutil.rmtree(session.folder, ignore_errors=True)
