"""Interactive use: set an image, then ask."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmris.evaluation import own_metrics
from mmris.protocols import Protocol, check_existence_threshold
from mmris.registry import TRANSFORMS
from mmris.utils import type_name
from mmris.zoo import get_model

from .encoded_image import CurrentImage, EncodedImage
from .encoded_sentences import EncodedSentences
from .image_encoder import GivenImage, ImageEncoder
from .images import AnyImage
from .model import check_untrained, init_model, read_zoo_model
from .prediction import Prediction
from .sentences import read_sentences
from .words_read import WordsRead, read_words


class Predictor:
    """Masks for one's own image and sentences.

    ::

        predictor = Predictor('configs/cm_masksd/vit-tiny_shaperef.py', 'work_dirs/demo/best_mIoU_epoch_4.pth')
        predictor.set_image('photo.jpg')
        prediction = predictor.predict(['the red circle', 'the star on the left'])
        prediction.masks, prediction.boxes, prediction.scores
        prediction.save('predictions')

    The image is encoded once, by :meth:`set_image`; each :meth:`predict` costs only what depends on sentences. A
    sentence that was asked before, about any image, is not encoded again (see :class:`EncodedSentences`). Where the
    test pipeline of the config loads instance masks, :meth:`set_image` takes them too.

    :meth:`set_image` also returns the encoded image, so that you can keep several and ask about any of them::

        cat, dog = predictor.set_image('cat.jpg'), predictor.set_image('dog.jpg')
        prediction = predictor.predict('the left ear', image=cat)

    :meth:`encode` and :meth:`predict_batch` take several images through the model at a time.

    Threads may share a predictor. The image that is set is each thread's own, and any thread may ask about any encoded
    image. Do not change the model (weights, device, dtype) while a thread uses it.

    ``dtype='float16'`` and ``dtype='bfloat16'`` halve the memory of weights and encoded images. Pixels are normalised
    in float32 before, and probabilities stay float32.

    If a large model is on a processor, the log says before the first image how long an image and a sentence will take.

    Attributes:
        model (nn.Module): The model.
        protocol (Protocol): Which pixels belong to masks: the model's protocol, with ``threshold``.

    Args:
        config (str, Path or Config): The config; its test pipeline says how images and sentences are prepared.
        checkpoint (str or Path, optional): Weights. Defaults to None: see :func:`init_model`.
        device (str, optional): Defaults to None: a GPU where there is one.
        threshold (float, optional): The probability, in [0, 1), above which a pixel belongs to a mask. Default: None,
            that of the config's first ``ReferringIoUMetric``, or the protocol's if the metric has none.
        dtype (str or torch.dtype): Type of the weights, see :func:`init_model`. Default: float32.
        existence_threshold (float, optional): In (0, 1): if the model has an existence head that is less sure than
            this that anything fits, the mask is empty. Default: None, that of the config's first
            ``ReferringIoUMetric``, or the protocol's.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: See :func:`init_model`.
        ValueError: If the test pipeline has not exactly one Tokenize step.
        ValueError: If ``threshold`` is out of range, or the protocol takes no other than its own.
    """

    def __init__(self,
                 config: Union[str, Path, Config],
                 checkpoint: Optional[Union[str, Path]] = None,
                 device: Optional[str] = None,
                 threshold: Optional[float] = None,
                 dtype: Union[str, torch.dtype] = torch.float32,
                 existence_threshold: Optional[float] = None) -> None:
        self.model: nn.Module = init_model(config, checkpoint, device, dtype)
        pipeline = self.model.cfg.test_dataloader.dataset.pipeline
        self._encoder = ImageEncoder(pipeline)
        tokenize = [step for step in pipeline if type_name(step) == 'Tokenize']
        if len(tokenize) != 1:
            raise ValueError(f'The test pipeline of the config needs one Tokenize step, but has {len(tokenize)}.')
        self._tokenizer = TRANSFORMS.build(tokenize[0]).tokenizer
        self._sentences = EncodedSentences(self._tokenizer)
        metric = next(iter(own_metrics(self.model.cfg.get('test_evaluator'))), {})
        threshold = metric.get('threshold') if threshold is None else threshold
        self.protocol: Protocol = self.model.protocol.with_threshold(threshold)
        if existence_threshold is None:
            existence_threshold = metric.get('existence_threshold', self.protocol.scoring.existence_threshold)
        self.existence_threshold = check_existence_threshold(existence_threshold)
        self._current = CurrentImage()

    @classmethod
    def trained(cls, config: Union[str, Path, Config], checkpoint: Optional[Union[str, Path]],
                **settings: Any) -> 'Predictor':
        """Make a predictor of which no weight is random: without a checkpoint, of a model that needs no training.

        Args:
            config (str, Path or Config): As above.
            checkpoint (str or Path, optional): As above.
            **settings: ``device``, ``threshold``, ``dtype`` and ``existence_threshold``, as above.

        Returns:
            Predictor: One of this class.

        Raises:
            FileNotFoundError, ValueError, RuntimeError: As above.
            ValueError: If there is no checkpoint and the model needs one.
        """
        predictor = cls(config, checkpoint, **settings)
        if checkpoint is None:
            check_untrained(predictor.model)
        return predictor

    @classmethod
    def from_pretrained(cls, name: Union[str, Path], **settings: Any) -> 'Predictor':
        """Make a predictor of a model of the zoo (``mmris models`` lists them), or of one that someone shared.

        Args:
            name (str or Path): Its name in the zoo; a folder that ``mmris push`` wrote; a repository of the Hugging
                Face hub, ``'user/name'`` or ``'hf-hub:user/name'``; or a copy of a published model, as folder or
                repository. Nothing in a shared folder is run.
            **settings: ``device``, ``threshold``, ``dtype`` and ``existence_threshold``, as above.

        Returns:
            Predictor: One of this class.

        Raises:
            ValueError: If there is no such name, or if it is of towers.
            FileNotFoundError, ConnectionError, ValueError: If the weights cannot be fetched.
            ValueError: If a shared folder holds anything but a plain description of a model of this package.
        """
        return cls(*read_zoo_model(get_model(str(name))), **settings)

    @property
    def takes_instance_masks(self) -> bool:
        """bool: Whether the model takes instance masks, which a segmenter found."""
        return self.model.encoder.takes_instances

    @property
    def image(self) -> np.ndarray:
        """ndarray: ``(H0, W0, 3)`` uint8 RGB, read-only: the image that this thread has set.

        Raises:
            RuntimeError: If it has set none.
        """
        return self._current_image().pixels

    @torch.inference_mode()
    def set_image(self, image: AnyImage, instance_masks: Optional[np.ndarray] = None) -> EncodedImage:
        """Take an image, and what a segmenter found on it, and encode them.

        If it fails, the image that was set before stays set.

        Args:
            image (str, PathLike, bytes, binary file, Image or ndarray): A file, a PIL image, or a uint8 array of RGB,
                RGBA or grey pixels: see :func:`~mmris.apis.images.read_image`.
            instance_masks (ndarray, optional): ``(K, H0, W0)`` bool or uint8, not 0 inside of an instance; K may be
                0. Defaults to None: nothing was found.

        Returns:
            EncodedImage: The image as the model has encoded it, for :meth:`predict`. It is also what this thread asks
            about where it names no other.

        Raises:
            FileNotFoundError: If there is no such file.
            IsADirectoryError: If the path is a folder.
            ValueError: If the image cannot be read (see :func:`~mmris.apis.images.read_image`).
            ValueError: If there are instance masks and the model takes none, or they are not of that form.
        """
        encoded, = self.encode([image], [instance_masks])
        self._current.image = encoded
        return encoded

    @torch.inference_mode()
    def encode(self,
               images: Sequence[Union[AnyImage, GivenImage]],
               instance_masks: Optional[Sequence[Optional[np.ndarray]]] = None) -> List[EncodedImage]:
        """Encode several images in one pass of the model, for :meth:`predict_batch` and :meth:`predict`.

        No image is set by it.

        Args:
            images (Sequence): B images, at least one, each as :meth:`set_image` takes it, or a :class:`GivenImage`.
            instance_masks (Sequence[ndarray or None], optional): For each image what :meth:`set_image` takes. Default:
                None, nothing was found on any.

        Returns:
            list[EncodedImage]: B images, which share what the model computed of them.

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

    @torch.inference_mode()
    def predict(self, sentences: Union[str, Sequence[str]], *, image: Optional[EncodedImage] = None) -> Prediction:
        """Predict for sentences about an image.

        Args:
            sentences (str or Sequence[str]): One or S sentences.
            image (EncodedImage, optional): What :meth:`set_image` returned. Defaults to None: the image that this
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

    @torch.inference_mode()
    def predict_batch(self, sentences: Sequence[Union[str, Sequence[str]]],
                      images: Sequence[EncodedImage]) -> List[Prediction]:
        """Predict for the sentences of several images. Those that were encoded together are asked in one pass.

        The probabilities are those of :meth:`predict` up to rounding, and the same bits for a single image.

        Args:
            sentences (Sequence[str or Sequence[str]]): For each image one or more sentences.
            images (Sequence[EncodedImage]): B images that :meth:`encode` or :meth:`set_image` returned.

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

    def _ask(self, sentences: Sequence[List[str]], images: Sequence[EncodedImage]) -> List[Prediction]:
        """Predict for images that share a state."""
        counts = [len(own) for own in sentences]
        device = self.model.data_preprocessor.device
        image_index = torch.tensor([image.row for image in images], device=device).repeat_interleave(
            torch.tensor(counts, device=device))
        encoded = self._sentences.encode(self.model, [sentence for own in sentences for sentence in own])
        answer = self.model.segment(images[0].state, encoded, image_index)
        existence = [None] * len(images) if answer.existence is None else \
            [part.float().sigmoid().cpu().numpy() for part in answer.existence.split(counts)]
        return [
            Prediction(
                sentences=tuple(own),
                probabilities=self.model.protocol.to_original_pixels(logits, image.affine, image.input_size,
                                                                     image.size).cpu().numpy(),
                protocol=self.protocol,
                image=image.pixels,
                existence=sure,
                existence_threshold=self.existence_threshold,
                path=image.path,
                instance_masks=image.instance_masks)
            for own, logits, sure, image in zip(sentences, answer.logits.split(counts), existence, images)
        ]

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

    def _encode(self, given: Sequence[GivenImage]) -> List[EncodedImage]:
        return self._encoder.encode(self.model, given)

    def _current_image(self) -> EncodedImage:
        if self._current.image is None:
            raise RuntimeError('There is no image yet: call set_image first, in this thread, or pass image=, what '
                               'set_image returned in another.')
        return self._current.image

    def _choose_image(self, image: Optional[EncodedImage]) -> EncodedImage:
        return self._check_image(self._current_image() if image is None else image)

    def _check_image(self, image: EncodedImage) -> EncodedImage:
        if not isinstance(image, EncodedImage):
            raise ValueError(f'image= takes what set_image returned, but got {type(image).__name__}: call set_image '
                             f'with it first.')
        image.check_model(self.model)
        return image
