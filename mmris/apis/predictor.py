"""Interactive use: set an image, then ask."""

from copy import copy
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from PIL import Image
from torch import nn

from mmris.datasets.transforms.loading import decode_image, to_rgb
from mmris.models.segmentors import to_original_pixels
from mmris.registry import TRANSFORMS
from mmris.structures import ExpressionBatch
from mmris.utils import type_name

from .model import check_untrained, init_model

# Steps of a test pipeline that make an input out of pixels; the others read files, or sentences.
GEOMETRY = ('Letterbox', 'Resize')


class WordsRead(NamedTuple):
    """What a model reads of a sentence.

    Attributes:
        words (str): As its tokenizer decodes them.
        tokens (int): How many they are, the first and the last one of each sentence counted.
        whole (bool): Whether that is the whole sentence, or it was cut.
    """

    words: str
    tokens: int
    whole: bool


class Predictor:
    """Masks for one's own image and sentences.

    ::

        predictor = Predictor('configs/cm_masksd/vit-tiny_shaperef.py', 'work_dirs/demo/best_mIoU_epoch_4.pth')
        predictor.set_image('photo.jpg')
        probabilities = predictor.predict(['the red circle', 'the star on the left'])
        masks = probabilities > 0.35

    The image is encoded once, by :meth:`set_image`; each :meth:`predict` costs only what depends on sentences. Where
    the test pipeline of the config loads instance masks, :meth:`set_image` takes them too.

    Args:
        config (str, Path or Config): The config; its test pipeline says how images and sentences are prepared.
        checkpoint (str or Path, optional): Weights. Defaults to None: random ones.
        device (str, optional): Defaults to None: a GPU where there is one.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: See :func:`init_model`.
        ValueError: If the test pipeline has not exactly one Tokenize step.
    """

    def __init__(self,
                 config: Union[str, Path, Config],
                 checkpoint: Optional[Union[str, Path]] = None,
                 device: Optional[str] = None) -> None:
        self.model: nn.Module = init_model(config, checkpoint, device)
        pipeline = self.model.cfg.test_dataloader.dataset.pipeline
        self._geometry = Compose([step for step in pipeline if type_name(step) in GEOMETRY])
        tokenize = [step for step in pipeline if type_name(step) == 'Tokenize']
        if len(tokenize) != 1:
            raise ValueError(f'The test pipeline of the config needs one Tokenize step, but has {len(tokenize)}.')
        self._tokenize = TRANSFORMS.build(tokenize[0])
        self._image: Optional[dict] = None
        self._state = None

    @classmethod
    def trained(cls, config: Union[str, Path, Config], checkpoint: Optional[Union[str, Path]],
                device: Optional[str]) -> 'Predictor':
        """Make a predictor of which no weight is random: without a checkpoint, of a model that needs no training.

        Args:
            config (str, Path or Config): As above.
            checkpoint (str or Path, optional): As above.
            device (str, optional): As above.

        Returns:
            Predictor: One of this class.

        Raises:
            FileNotFoundError, ValueError, RuntimeError: As above.
            ValueError: If there is no checkpoint and the model needs one.
        """
        predictor = cls(config, checkpoint, device)
        if checkpoint is None:
            check_untrained(predictor.model)
        return predictor

    @property
    def takes_instance_masks(self) -> bool:
        """bool: Whether the model is told what a segmenter found."""
        return self.model.encoder.takes_instances

    @property
    def image(self) -> np.ndarray:
        """ndarray: ``(H0, W0, 3)`` uint8 RGB, the image that is set.

        Raises:
            RuntimeError: If none is.
        """
        if self._image is None:
            raise RuntimeError('There is no image yet: call set_image first.')
        return self._image['original']

    @torch.inference_mode()
    def set_image(self,
                  image: Union[str, Path, Image.Image, np.ndarray],
                  instance_masks: Optional[np.ndarray] = None) -> None:
        """Take an image, and what a segmenter found on it, and encode them.

        Args:
            image (str, Path, Image or ndarray): A file (turned upright by its EXIF), a PIL image, or ``(H0, W0, 3)``
                uint8 RGB.
            instance_masks (ndarray, optional): ``(K, H0, W0)`` bool or uint8, not 0 inside of an instance; K may be
                0. Defaults to None: nothing was found.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the image cannot be read (see :func:`read_image`).
            ValueError: If there are instance masks and the model takes none, or they are not of that form.
        """
        pixels = read_image(image)
        given = dict(img=pixels)
        if instance_masks is not None and not self.takes_instance_masks:
            raise ValueError('The model takes no instance masks in. Leave them out, or use a config whose model does, '
                             'such as those of configs/mail.')
        if self.takes_instance_masks:
            given['instance_masks'] = _check_masks(instance_masks, pixels.shape[:2])
        prepared = self._geometry(given)
        preprocessor = self.model.data_preprocessor
        tensor = torch.from_numpy(np.ascontiguousarray(prepared['img'].transpose(2, 0, 1))).to(preprocessor.device)
        found = None
        if self.takes_instance_masks:
            found = [torch.from_numpy(prepared['instance_input']).to(preprocessor.device)]
        self._state = self.model.encode_images(preprocessor.batch_images([tensor], [prepared['image_box']], found))
        self._image = dict(original=pixels, affine=prepared['affine'], input_size=prepared['img_shape'])

    @torch.inference_mode()
    def predict(self, sentences: Union[str, Sequence[str]]) -> np.ndarray:
        """Predict for sentences about the image that is set.

        Args:
            sentences (str or Sequence[str]): One or S sentences.

        Returns:
            ndarray: ``(S, H0, W0)`` float32 probabilities on the original pixels; where the config has
            ``resampling='shared_ris'``, 0 or 1, by its own threshold of 0.35.

        Raises:
            RuntimeError: If no image is set.
            ValueError: If there is no sentence.
        """
        size = self.image.shape[:2]
        sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        if not sentences:
            raise ValueError('There is no sentence to predict for: give at least one.')
        device = self.model.data_preprocessor.device
        tokenized = self._tokenize(dict(text=sentences))
        expressions = ExpressionBatch(
            token_ids=tokenized['token_ids'],
            token_mask=tokenized['token_mask'],
            image_index=torch.zeros(len(sentences), dtype=torch.int64)).to(device)
        logits = self.model.segment(self._state, expressions)
        probabilities = to_original_pixels(logits, self._image['affine'], self._image['input_size'], size,
                                           self.model.resampling)
        return probabilities.cpu().numpy()

    def read_words(self, sentences: Union[str, Sequence[str]]) -> List[WordsRead]:
        """Tell what :meth:`predict` reads of sentences: it cuts long ones, as the config's tokenizer says.

        Args:
            sentences (str or Sequence[str]): One or S sentences.

        Returns:
            list[WordsRead]: Of each sentence.
        """
        sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        tokenizer = self._tokenize.tokenizer
        rows = list(zip(*tokenizer(sentences)))
        # A full row may be just full. With room for a token more, a sentence that was cut takes it.
        roomier = copy(tokenizer)
        roomier.context_length = tokenizer.context_length + 1
        return [
            WordsRead(words=tokenizer.decode(ids, mask), tokens=int(mask.sum()), whole=bool(mask.sum() == longer.sum()))
            for (ids, mask), longer in zip(rows, roomier(sentences)[1])
        ]


def _check_masks(masks: Optional[np.ndarray], size: Tuple[int, int]) -> np.ndarray:
    """The masks as the pipeline has them: uint8 of 0 and 1."""
    if masks is None:
        return np.zeros((0, *size), dtype=np.uint8)
    if not (isinstance(masks, np.ndarray) and masks.ndim == 3 and masks.dtype in (bool, np.uint8)):
        got = f'{masks.dtype} of shape {masks.shape}' if isinstance(masks, np.ndarray) else type(masks).__name__
        raise ValueError(f'Instance masks are a (number, height, width) bool or uint8 array, but got {got}.')
    if masks.shape[1:] != size:
        raise ValueError(
            f'Instance masks are {masks.shape[1]} x {masks.shape[2]} pixels (height x width), but their image is '
            f'{size[0]} x {size[1]}: masks are on the original pixels of the upright image.')
    return (masks != 0).astype(np.uint8)


def read_image(image: Union[str, Path, Image.Image, np.ndarray]) -> np.ndarray:
    """Read an image as :meth:`Predictor.set_image` does.

    Args:
        image (str, Path, Image or ndarray): As there.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be decoded, or the PIL image not be brought to RGB (see
            :func:`mmris.datasets.transforms.loading.decode_image`).
        ValueError: If the array is not of that form, or there is no pixel.
    """
    if isinstance(image, (str, Path)):
        path = Path(image)
        if not path.is_file():
            raise FileNotFoundError(f'There is no image {path}.')
        return decode_image(path.read_bytes(), str(path), upright=True)
    if isinstance(image, Image.Image):
        image = to_rgb(image, 'The PIL image')
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
        got = f'{image.dtype} of shape {image.shape}' if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f'An image is a file, a PIL image or a (height, width, 3) uint8 RGB array, but got {got}.')
    if image.size == 0:
        raise ValueError(f'An image has at least one pixel, but got {image.shape[0]} x {image.shape[1]} (height x '
                         f'width): look at how it was read or cropped.')
    return image
