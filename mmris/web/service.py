"""What the page does for a visitor, whatever the page looks like."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import List, Optional

import numpy as np
from PIL import Image

from mmris.apis import Prediction, Predictor
from mmris.apis.encoded_image import EncodedImage
from mmris.utils.terminal import one_line

from .answers import describe_answer, draw_answer, to_screen
from .limits import DEFAULT_LIMITS, Limits
from .models import Models
from .pictures import read_picture
from .sessions import Answer, Session, Sessions

_NUMBERS = count(1)


@dataclass(frozen=True)
class Shown:
    """An answer as the page shows it.

    Attributes:
        picture (Path): A JPEG: the picture with the masks.
        text (str): HTML: what was found for each sentence.
        threshold (float): The probability above which a pixel belongs to a mask.
        fixed_threshold (bool): Whether the model's protocol lets nobody choose another.
        existence_threshold (float, optional): Below this existence, nothing fits. None: the model has no existence
            head.
    """

    picture: Path
    text: str
    threshold: float
    fixed_threshold: bool
    existence_threshold: Optional[float]


class Service:
    """Answers visitors, each about a picture of their own.

    Visitors are known by a key each. Threads may share a service; what one visitor does runs one after the other.

    Args:
        models (Models): The models.
        folder (Path): Where each visitor gets a folder of files.
        limits (Limits): What is taken and kept. Default: all defaults.
    """

    def __init__(self, models: Models, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.models = models
        self.limits = limits
        self.sessions = Sessions(folder, limits)

    def take(self, key: str, content: bytes, name: str) -> Path:
        """Take a visitor's picture, in place of an earlier one.

        Args:
            key (str): The visitor.
            content (bytes): The image file.
            name (str): Its name.

        Returns:
            Path: A JPEG that shows it, upright, at a size for the screen.

        Raises:
            ValueError: See :func:`~mmris.web.pictures.read_picture`. The earlier picture is gone then.
        """
        session = self.sessions.open(key)
        name = one_line(Path(name).name)
        with session.lock:
            session.clear()
            session.pixels, session.name = read_picture(content, name, self.limits), name
            shown = _write(session, 'picture', to_screen(session.pixels))
        self.sessions.trim()
        return shown

    def drop(self, key: str) -> None:
        """Forget a visitor's picture, and all that is known of it."""
        session = self.sessions.open(key)
        with session.lock:
            session.clear()

    def ask(self, key: str, model: str, text: str) -> Shown:
        """Answer sentences about a visitor's picture.

        The picture is encoded if this model has not encoded it yet. Thresholds that the visitor has chosen for this
        model's last answer hold for this one too.

        Args:
            key (str): The visitor.
            model (str): The model's name.
            text (str): Sentences, one a line. Empty lines are left out.

        Returns:
            Shown: The answer.

        Raises:
            ValueError: If there is no picture, no sentence, too many or too long ones, or no such model.
            Exception: If the model cannot be loaded (see :class:`~mmris.apis.Predictor`).
        """
        sentences = self._read_sentences(text)
        session = self.sessions.open(key)
        with session.lock:
            self._check_picture(session)
            predictor = self.models.get(model)
            if model not in session.encoded:
                session.encoded[model] = _encode(predictor, session.pixels)
            prediction = predictor.predict(sentences, image=session.encoded[model])
            before = session.answer
            if before is not None and before.model == model:
                prediction = _with_thresholds(prediction, before.prediction.threshold,
                                              before.prediction.existence_threshold)
            session.answer = Answer(model, prediction, tuple(_remarks(predictor, sentences)))
            shown = _show(session)
        self.sessions.trim()
        return shown

    def redraw(self, key: str, threshold: float, existence_threshold: float) -> Shown:
        """Show the last answer with other thresholds. No model runs.

        Args:
            key (str): The visitor.
            threshold (float): In [0, 1).
            existence_threshold (float): In (0, 1). Of no effect if the model has no existence head.

        Returns:
            Shown: The answer.

        Raises:
            ValueError: If there is no answer, or a threshold is out of range.
        """
        session = self.sessions.open(key)
        with session.lock:
            answer = self._check_answer(session)
            prediction = _with_thresholds(answer.prediction, threshold, existence_threshold)
            session.answer = Answer(answer.model, prediction, answer.remarks)
            return _show(session)

    def save(self, key: str) -> List[Path]:
        """Write the last answer to files, as :meth:`~mmris.apis.Prediction.save` does.

        Args:
            key (str): The visitor.

        Returns:
            list[Path]: A mask for each sentence, the overlay, and the JSON file with COCO's results.

        Raises:
            ValueError: If there is no answer.
        """
        session = self.sessions.open(key)
        with session.lock:
            answer = self._check_answer(session)
            saved = answer.prediction.save(session.folder / 'saved', Path(session.name).stem or 'picture')
            return [*saved.masks, saved.overlay, saved.json]

    def leave(self, key: str) -> None:
        """Forget a visitor."""
        self.sessions.close(key)

    def _read_sentences(self, text: str) -> List[str]:
        sentences = [line.strip() for line in text.splitlines() if line.strip()]
        if not sentences:
            raise ValueError('Write what to look for: at least one sentence, each on a line of its own.')
        if len(sentences) > self.limits.sentences:
            raise ValueError(f'There are {len(sentences)} sentences, but at most {self.limits.sentences} are answered '
                             f'at once. Leave some out.')
        for number, sentence in enumerate(sentences, 1):
            if len(sentence) > self.limits.letters:
                raise ValueError(f'Sentence {number} has {len(sentence):,} letters, but may have '
                                 f'{self.limits.letters}. Shorten it.')
        return sentences

    def _check_picture(self, session: Session) -> None:
        if session.pixels is None:
            raise ValueError(f'There is no picture. Drop one first. If you did, drop it again: only the pictures of '
                             f'the last {self.limits.visitors} visitors are kept.')

    def _check_answer(self, session: Session) -> Answer:
        self._check_picture(session)
        if session.answer is None:
            raise ValueError('There is no answer about this picture yet. Ask first.')
        return session.answer


def _encode(predictor: Predictor, pixels: np.ndarray) -> EncodedImage:
    """Encode a picture, in a thread that ends: a predictor keeps the image that a thread has set as long as it lives,
    and the threads of a server outlive visitors."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(predictor.set_image, pixels).result()


def _with_thresholds(prediction: Prediction, threshold: float, existence_threshold: float) -> Prediction:
    prediction = prediction.with_threshold(threshold)
    return prediction if prediction.existence is None else prediction.with_existence_threshold(existence_threshold)


def _remarks(predictor: Predictor, sentences: List[str]) -> List[str]:
    return ['' if read.whole else f'too long for the model, which read only: {read.words}'
            for read in predictor.read_words(sentences)]


def _show(session: Session) -> Shown:
    answer = session.answer
    # A copy, so that the masks that drawing computes are not kept with the session.
    drawn = Answer(answer.model, answer.prediction.with_threshold(None), answer.remarks)
    prediction = answer.prediction
    return Shown(
        picture=_write(session, 'answer', draw_answer(drawn)),
        text=describe_answer(drawn),
        threshold=prediction.threshold,
        fixed_threshold=prediction.protocol.binary,
        existence_threshold=None if prediction.existence is None else prediction.existence_threshold)


def _write(session: Session, kind: str, pixels: np.ndarray) -> Path:
    """Write a picture under a name that no browser has seen. Of those before, only the last one stays: it may still be
    on its way to the browser."""
    for path in sorted(session.folder.glob(f'{kind}_*.jpg'))[:-1]:
        path.unlink()
    path = session.folder / f'{kind}_{next(_NUMBERS):012d}.jpg'
    Image.fromarray(pixels).save(path, 'JPEG', quality=92)
    return path
