"""Whether weights of the zoo are what we expect: by their keys, and on a picture whose truth is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmris.apis import Predictor
from mmris.checkpoints import PUBLISHED, Misfits, compare_checkpoint, compare_published, read_published
from mmris.registry import MODELS
from mmris.utils import find_config
from mmris.utils.resources import read_model_config

from .fetching import fetch_weights
from .models import MODEL, ZooModel
from .names import get_model

#: A picture of ShapeRef (style refcoco, seed 0, testA, number 8), a sentence about it, and the mask of what it means.
EXAMPLE = Path(__file__).with_name('example.jpg')
EXAMPLE_MASK = Path(__file__).with_name('example_mask.png')
EXAMPLE_SENTENCE = 'the red star'


@dataclass(frozen=True)
class Answer:
    """What a model answered about the example.

    Attributes:
        lowest (float): The lowest probability of a pixel.
        highest (float): The highest.
        share (float): The mask's share of the image, from 0 to 1.
        iou (float): IoU of the mask and the truth, from 0 to 1.
    """
    lowest: float
    highest: float
    share: float
    iou: float

    @property
    def is_finite(self) -> bool:
        """bool: Whether all probabilities are numbers."""
        return bool(np.isfinite([self.lowest, self.highest]).all())


@dataclass(frozen=True)
class Check:
    """What :func:`check` found.

    Attributes:
        path (Path): The file of the weights.
        misfits (Misfits): How its keys differ from those of the config's model.
        answer (Answer, optional): What the model answered. None if the weights do not fit.
        least_iou (float): What the answer's IoU has to reach, from 0 to 1.
    """
    path: Path
    misfits: Misfits
    answer: Optional[Answer]
    least_iou: float

    @property
    def passed(self) -> bool:
        """bool: Whether all keys fit, and the answer is of numbers and as good as it should be."""
        return self.answer is not None and self.answer.is_finite and self.answer.iou >= self.least_iou


def check(model: ZooModel) -> Check:
    """Fetch the weights of a row, compare their keys with what its config builds, and ask about the example.

    Args:
        model (ZooModel): The row. If it is of towers, all other weights of the config's model are random.

    Returns:
        Check: What was found.

    Raises:
        FileNotFoundError, ConnectionError, OSError, ValueError: As :func:`fetch_weights`.
        ValueError, RuntimeError: If the file cannot be read at all.
    """
    init_default_scope('mmris')
    if model.kind == MODEL:
        config = read_model_config(model)
    else:
        config = Config.fromfile(find_config(model.config))
    source = model if model.weights is not None else get_model(model.towers)
    path = fetch_weights(source)
    built = MODELS.build(config.model)
    if source.kind == MODEL:
        misfits = compare_checkpoint(built, path)
    else:
        published = PUBLISHED[source.published]
        misfits = compare_published(built.encoder, published, read_published(published, str(path)))
        config.model.encoder.update(pretrained=str(path))
        if source.quick_gelu is not None:
            config.model.encoder.update(quick_gelu=source.quick_gelu)
    answer = None if misfits else ask(config, path if source.kind == MODEL else None)
    return Check(path, misfits, answer, (model.example_iou or 0) / 100)


def ask(config: Config, checkpoint: Optional[Path]) -> Answer:
    """Ask a model about the example.

    Args:
        config (Config): Its config.
        checkpoint (Path, optional): Its weights. None: the encoder's ``pretrained``, and random ones for the rest.

    Returns:
        Answer: What it answered.
    """
    torch.manual_seed(0)
    predictor = Predictor(config, checkpoint, device='cpu')
    if checkpoint is None:
        predictor.model.encoder.load_pretrained()
    predictor.set_image(EXAMPLE)
    prediction = predictor.predict(EXAMPLE_SENTENCE)
    mask = prediction.masks[0]
    truth = np.asarray(Image.open(EXAMPLE_MASK)) > 0
    return Answer(
        lowest=float(prediction.probabilities.min()),
        highest=float(prediction.probabilities.max()),
        share=float(mask.mean()),
        iou=float((mask & truth).sum() / (mask | truth).sum()))
