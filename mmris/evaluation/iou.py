"""IoU of referring image segmentation, as pure functions."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PRECISION_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


class PixelCounts(NamedTuple):
    """Pixels of S pairs of masks.

    Attributes:
        intersection (ndarray): ``(S,)`` int64.
        union (ndarray): ``(S,)`` int64.
        predicted (ndarray): ``(S,)`` int64, of the prediction.
        target (ndarray): ``(S,)`` int64, of the target.
    """

    intersection: np.ndarray
    union: np.ndarray
    predicted: np.ndarray
    target: np.ndarray


class PendingCounts:
    """Pixels that are being counted, maybe by a GPU, for which nobody waits until the counts are read.

    Args:
        prediction (Tensor): ``(S, H, W)`` bool.
        target (Tensor): ``(S, H, W)`` bool, on the same device.

    Raises:
        ValueError: If the shapes differ.
    """

    def __init__(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape:
            raise ValueError(
                f'Prediction and target must have one shape, but got {tuple(prediction.shape)} and '
                f'{tuple(target.shape)}. Score at the original size.')
        counts = torch.stack([one.flatten(1).sum(dim=1) for one in (prediction & target, prediction, target)])
        self._counts = counts.to('cpu', non_blocking=counts.is_cuda)
        self._copied = None
        if counts.is_cuda:
            self._copied = torch.cuda.Event()
            self._copied.record()

    def read(self) -> PixelCounts:
        """Wait for the counts, if they are not there yet."""
        if self._copied is not None:
            self._copied.synchronize()
        intersection, predicted, target = self._counts.numpy()
        return PixelCounts(intersection, predicted + target - intersection, predicted, target)


def iou_scores(intersection: np.ndarray, union: np.ndarray, empty: float = 1.0) -> np.ndarray:
    """IoU of each expression.

    If only one of prediction and target is empty, the IoU is 0.

    Args:
        intersection (ndarray): ``(P,)`` pixels.
        union (ndarray): ``(P,)`` pixels.
        empty (float): The IoU where both are empty. Default: 1.

    Returns:
        ndarray: ``(P,)`` float64 in [0, 1].
    """
    return np.where(union == 0, empty, intersection / np.maximum(union, 1))


def overall_iou(intersection: np.ndarray, union: np.ndarray) -> float:
    """The sum of intersections over the sum of unions, in percent; NaN if there is no union."""
    total = int(union.sum())
    return 100 * int(intersection.sum()) / total if total else float('nan')


def share_of(values: np.ndarray) -> float:
    """The mean of numbers in [0, 1], or the share of true ones, in percent; NaN if there is none."""
    return 100 * float(values.mean()) if len(values) else float('nan')
