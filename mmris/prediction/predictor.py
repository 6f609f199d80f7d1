"""What predictors of torch and of exported models share: set an image, then ask."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np

from mmris.images import AnyImage, GivenImage
from mmris.protocols import Protocol, check_existence_threshold
from mmris.tokenizers import SentenceTokenizer

from .encoded_image import BaseEncodedImage, CurrentImage
from .prediction import Prediction
from .sentences import read_sentences
from .words_read import WordsRead, read_words


class Logits(NamedTuple):
    """What a model answers to S sentences, before anything is resampled or decided.

    Attributes:
        masks (ndarray): ``(S, 1, h, w)`` float32, on the model's grid.
        existence (ndarray, optional): ``(S,)`` float32: above 0, something on the image fits. None: the model has no
            existence head.
    """

    masks: np.ndarray
    existence: Optional[np.ndarray]


class BasePredictor(ABC):
    """Masks for one's own image and sentences, whatever runs the model.

    A subclass encodes images and asks about them.

    Threads may share a predictor. The image that is set is each thread's own.

    Attributes:
        model (Any): What runs: encoded images are of one model.
        protocol (Protocol): Which pixels belong to masks.
        existence_threshold (float): Below this existence, nothing fits.

    Args:
        tokenizer (SentenceTokenizer): How the model reads sentences.
        protocol (Protocol): As above.
        existence_threshold (float): As above, in (0, 1).

    Raises:
        ValueError: If ``existence_threshold`` is out of range.
    """

    def __init__(self, *, tokenizer: SentenceTokenizer, protocol: Protocol, existence_threshold: float) -> None:
        self._tokenizer = tokenizer
        self.protocol = protocol
        self.existence_threshold = check_existence_threshold(existence_threshold)
        self._current = CurrentImage()

    @property
    @abstractmethod
    def takes_instance_masks(self) -> bool:
        """bool: Whether the model takes instance masks, which a segmenter found."""

    @property
    def vocabulary_file(self) -> Path:
        """Path: The file that the tokenizer's words are from."""
        return self._tokenizer.vocabulary_file

    @property
    def image(self) -> np.ndarray:
        """ndarray: ``(H0, W0, 3)`` uint8 RGB, read-only: the image that this thread has set.

        Raises:
            RuntimeError: If it has set none.
        """
        return self._current_image().pixels

    def set_image(self, image: AnyImage, instance_masks: Optional[np.ndarray] = None) -> BaseEncodedImage:
        """Take an image, and what a segmenter found on it, and encode them.

        If it fails, the image that was set before stays set.

        Args:
            image (str, PathLike, bytes, binary file, Image or ndarray): A file, a PIL image, or a uint8 array of RGB,
                RGBA or grey pixels: see :func:`~mmris.images.read_image`.
            instance_masks (ndarray, optional): ``(K, H0, W0)`` bool or uint8, not 0 inside of an instance; K may be
                0. Defaults to None: nothing was found.

        Returns:
            BaseEncodedImage: The image as the model has encoded it, for :meth:`predict`. It is also what this thread
            asks about where it names no other.

        Raises:
            FileNotFoundError: If there is no such file.
            IsADirectoryError: If the path is a folder.
            ValueError: If the image cannot be read (see :func:`~mmris.images.read_image`).
            ValueError: If there are instance masks and the model takes none, or they are not of that form.
        """
        encoded, = self.encode([image], [instance_masks])
        self._current.image = encoded
        return encoded

    def encode(self,
               images: Sequence[Union[AnyImage, GivenImage]],
               instance_masks: Optional[Sequence[Optional[np.ndarray]]] = None) -> List[BaseEncodedImage]:
        """Encode several images in one pass of the model, for :meth:`predict_batch` and :meth:`predict`.

        No image is set by it.

        Args:
            images (Sequence): B images, at least one, each as :meth:`set_image` takes it, or a
                :class:`~mmris.images.GivenImage`.
            instance_masks (Sequence[ndarray or None], optional): For each image what :meth:`set_image` takes. Default:
                None, nothing was found on any.

        Returns:
            list[BaseEncodedImage]: B images, which share what the model computed of them.

        Raises:
            FileNotFoundError, IsADirectoryError, ValueError: See :meth:`set_image`.
            ValueError: If there is no image, or instance masks are not as many as images.
        """
        images = list(images)
        instance_masks = [None] * len(images) if instance_masks is None else list(instance_masks)
        if not images:
            raise ValueError('There is no image to encode: give at least one.')
        if len(instance_masks) != len(images):
            raise ValueError(f'{len(images)} images came with {len(instance_masks)} entries of instance masks: give '
                             f'one for each image, None where nothing was found.')
        return self._encode([
            image if isinstance(image, GivenImage) else self.read(image, masks)
            for image, masks in zip(images, instance_masks)
        ])

    def read(self, image: AnyImage, instance_masks: Optional[np.ndarray] = None) -> GivenImage:
        """Read an image for :meth:`encode`, so that a broken one is noticed before others are encoded with it.

        Args:
            image, instance_masks: As :meth:`set_image` takes them.

        Returns:
            GivenImage: The image.

        Raises:
            FileNotFoundError, IsADirectoryError, ValueError: See :meth:`set_image`.
        """
        return GivenImage.read(image, instance_masks, self.takes_instance_masks)

    def predict(self, sentences: Union[str, Sequence[str]], *, image: Optional[BaseEncodedImage] = None) -> Prediction:
        """Predict for sentences about an image.

        Args:
            sentences (str or Sequence[str]): One or S sentences.
            image (BaseEncodedImage, optional): What :meth:`set_image` returned. Defaults to None: the image that this
                thread has set last.

        Returns:
            Prediction: Probabilities, masks, boxes and scores of the S sentences.

        Raises:
            RuntimeError: If this thread has set no image and ``image`` is None.
            ValueError: If there is no sentence, or one is not a string.
            ValueError: If ``image`` was not returned by :meth:`set_image`, another model encoded it, or the model has
                another device or dtype since.
        """
        return self.predict_batch([sentences], [self._choose_image(image)])[0]

    def logits(self, sentences: Union[str, Sequence[str]], *, image: Optional[BaseEncodedImage] = None) -> Logits:
        """Return what the model itself gives: most will want :meth:`predict`, whose arguments and errors these are."""
        asked = read_sentences(sentences)
        if not asked:
            raise ValueError('There is no sentence to predict for: give at least one.')
        return self._logits(asked, self._choose_image(image))

    def predict_batch(self, sentences: Sequence[Union[str, Sequence[str]]],
                      images: Sequence[BaseEncodedImage]) -> List[Prediction]:
        """Predict for the sentences of several images. Those that were encoded together are asked in one pass.

        The probabilities are those of :meth:`predict` up to rounding, and the same bits for a single image.

        Args:
            sentences (Sequence[str or Sequence[str]]): For each image one or more sentences.
            images (Sequence[BaseEncodedImage]): B images that :meth:`encode` or :meth:`set_image` returned.

        Returns:
            list[Prediction]: For each image, in order.

        Raises:
            ValueError: As :meth:`predict`, or if there are not as many entries of sentences as images.
        """
        if len(sentences) != len(images):
            raise ValueError(f'{len(images)} images came with {len(sentences)} entries of sentences: give the '
                             f'sentences of each image.')
        asked = [read_sentences(own) for own in sentences]
        if not all(asked):
            raise ValueError('There is no sentence to predict for: give at least one.')
        for image in images:
            self._check_image(image)
        together: Dict[int, List[int]] = {}
        for place, image in enumerate(images):
            together.setdefault(id(image.state), []).append(place)
        found: Dict[int, Prediction] = {}
        for places in together.values():
            answers = self._ask([asked[place] for place in places], [images[place] for place in places])
            found.update(zip(places, answers))
        return [found[place] for place in range(len(images))]

    def read_words(self, sentences: Union[str, Sequence[str]]) -> List[WordsRead]:
        """Tell what :meth:`predict` reads of sentences: it cuts long ones, as the config's tokenizer says.

        Args:
            sentences (str or Sequence[str]): One or S sentences.

        Returns:
            list[WordsRead]: Of each sentence.

        Raises:
            ValueError: If one is not a string.
        """
        return read_words(self._tokenizer, read_sentences(sentences))

    @abstractmethod
    def _logits(self, sentences: List[str], image: BaseEncodedImage) -> Logits:
        """Ask about one image, at least one sentence."""

    @abstractmethod
    def _encode(self, given: Sequence[GivenImage]) -> List[BaseEncodedImage]:
        """Encode B images, at least one."""

    @abstractmethod
    def _ask(self, sentences: Sequence[List[str]], images: Sequence[BaseEncodedImage]) -> List[Prediction]:
        """Predict for images that share a state, each with one or more sentences."""

    def _current_image(self) -> BaseEncodedImage:
        if self._current.image is None:
            raise RuntimeError('There is no image yet: call set_image first, in this thread, or pass image=, what '
                               'set_image returned in another.')
        return self._current.image

    def _choose_image(self, image: Optional[BaseEncodedImage]) -> BaseEncodedImage:
        return self._check_image(self._current_image() if image is None else image)

    def _check_image(self, image: BaseEncodedImage) -> BaseEncodedImage:
        if not isinstance(image, BaseEncodedImage):
            raise ValueError(f'image= takes what set_image returned, but got {type(image).__name__}: call set_image '
                             f'with it first.')
        image.check_model(self.model)
        return image
