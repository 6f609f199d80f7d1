"""Compare an exported model with PyTorch, starting from the image file."""

from pathlib import Path
from typing import Sequence, Union

import numpy as np

from mmris.apis import Predictor
from mmris.runtime import OnnxPredictor

#: Sentences that are asked at once. Graphs are traced with three.
COUNTS = (1, 2, 7)


def compare_logits(predictor: Predictor, exported: OnnxPredictor, image: Union[str, Path, np.ndarray],
                   sentences: Sequence[str]) -> float:
    """Measure the largest difference between the logits of both, asked for :data:`COUNTS` sentences at once.

    Args:
        predictor (Predictor): The model in PyTorch.
        exported (OnnxPredictor): The model as it was exported.
        image (str, Path or ndarray): An image, as :meth:`~mmris.apis.Predictor.set_image` takes it.
        sentences (Sequence[str]): At least one; repeated where there are too few.

    Returns:
        float: Over all logits of masks, and those of an existence head. NaN if one of them is.
    """
    encoded, found = predictor.set_image(image), exported.set_image(image)
    largest = 0.0
    for count in COUNTS:
        asked = [sentences[place % len(sentences)] for place in range(count)]
        wanted, given = predictor.logits(asked, image=encoded), exported.logits(asked, image=found)
        for one, other in zip(wanted, given, strict=True):
            if one is not None:
                # NaN stays NaN, as it would not with max().
                largest = np.maximum(largest, np.abs(np.subtract(one, other, dtype=np.float64)).max())
    return float(largest)


def mask_ious(masks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The IoU of each mask with another of the same sentence; 1 where both are empty.

    Args:
        masks (ndarray): ``(S, H, W)`` bool.
        others (ndarray): The same.

    Returns:
        ndarray: ``(S,)`` float64.
    """
    intersection = np.count_nonzero(masks & others, axis=(1, 2))
    union = np.count_nonzero(masks | others, axis=(1, 2))
    return np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
