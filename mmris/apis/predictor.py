"""Interactive use: set an image, then ask."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import torch
from mmengine.config import Config
from torch import nn

from mmris.evaluation import own_metrics
from mmris.images import GivenImage
from mmris.prediction import BasePredictor, Logits, Prediction
from mmris.protocols import Protocol
from mmris.registry import TRANSFORMS
from mmris.structures import Answer
from mmris.utils import type_name
from mmris.zoo import get_model

from .encoded_image import EncodedImage
from .encoded_sentences import EncodedSentences
from .image_encoder import ImageEncoder
from .model import check_untrained, init_model, read_zoo_model


class Predictor(BasePredictor):
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
        compile (bool or dict): Compile the model's stages, which takes a minute or more at the first image and
            sentence, and makes all that follow faster; a dict holds options of ``torch.compile``. Default: False.

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
                 existence_threshold: Optional[float] = None,
                 compile: Union[bool, Dict[str, Any]] = False) -> None:
        self.model: nn.Module = init_model(config, checkpoint, device, dtype, compile)
        pipeline = self.model.cfg.test_dataloader.dataset.pipeline
        self._encoder = ImageEncoder(pipeline)
        tokenize = [step for step in pipeline if type_name(step) == 'Tokenize']
        if len(tokenize) != 1:
            raise ValueError(f'The test pipeline of the config needs one Tokenize step, but has {len(tokenize)}.')
        tokenizer = TRANSFORMS.build(tokenize[0]).tokenizer
        self._sentences = EncodedSentences(tokenizer)
        metric = next(iter(own_metrics(self.model.cfg.get('test_evaluator'))), {})
        threshold = metric.get('threshold') if threshold is None else threshold
        protocol: Protocol = self.model.protocol.with_threshold(threshold)
        if existence_threshold is None:
            existence_threshold = metric.get('existence_threshold', protocol.scoring.existence_threshold)
        super().__init__(tokenizer=tokenizer, protocol=protocol, existence_threshold=existence_threshold)

    @classmethod
    def trained(cls, config: Union[str, Path, Config], checkpoint: Optional[Union[str, Path]],
                **settings: Any) -> 'Predictor':
        """Make a predictor of which no weight is random: without a checkpoint, of a model that needs no training.

        Args:
            config (str, Path or Config): As above.
            checkpoint (str or Path, optional): As above.
            **settings: ``device``, ``threshold``, ``dtype``, ``existence_threshold`` and ``compile``, as above.

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
            **settings: ``device``, ``threshold``, ``dtype``, ``existence_threshold`` and ``compile``, as above.

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

    @torch.inference_mode()
    def _logits(self, sentences: List[str], image: EncodedImage) -> Logits:
        found = self._segment([sentences], [image]).map(lambda tensor: tensor.float().cpu())
        return Logits(found.logits.numpy(), None if found.existence is None else found.existence.numpy())

    def _segment(self, sentences: Sequence[List[str]], images: Sequence[EncodedImage]) -> Answer:
        """Ask about images that share a state."""
        device = self.model.data_preprocessor.device
        image_index = torch.tensor([image.row for image in images], device=device).repeat_interleave(
            torch.tensor([len(own) for own in sentences], device=device))
        encoded = self._sentences.encode(self.model, [sentence for own in sentences for sentence in own])
        return self.model.segment(images[0].state, encoded, image_index)

    @torch.inference_mode()
    def _ask(self, sentences: Sequence[List[str]], images: Sequence[EncodedImage]) -> List[Prediction]:
        """Predict for images that share a state."""
        counts, answer = [len(own) for own in sentences], self._segment(sentences, images)
        existence = [None] * len(images) if answer.existence is None else answer.existence.split(counts)
        return [
            self._predicted(own, Answer(*part), image)
            for own, part, image in zip(sentences, zip(answer.logits.split(counts), existence), images)
        ]

    def _predicted(self, sentences: Sequence[str], answer: Answer, image: EncodedImage) -> Prediction:
        """What was answered to the sentences about one image."""
        return Prediction(
            sentences=tuple(sentences),
            probabilities=self.model.protocol.to_original_pixels(answer.logits, image.affine, image.input_size,
                                                                 image.size).cpu().numpy(),
            protocol=self.protocol,
            image=image.pixels,
            existence=None if answer.existence is None else answer.existence.float().sigmoid().cpu().numpy(),
            existence_threshold=self.existence_threshold,
            path=image.path,
            instance_masks=image.instance_masks)

    @torch.inference_mode()
    def _encode(self, given: Sequence[GivenImage]) -> List[EncodedImage]:
        return self._encoder.encode(self.model, given)
