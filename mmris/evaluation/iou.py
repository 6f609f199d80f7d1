"""IoU of referring image segmentation, as pure functions."""

from typing import Tuple

import numpy as np
from torch import Tensor

PRECISION_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def intersection_and_union(prediction: Tensor, target: Tensor) -> Tuple[np.ndarray, np.ndarray]:
    """Count pixels.

    Args:
        prediction (Tensor): ``(S, H, W)`` bool.
        target (Tensor): ``(S, H, W)`` bool.

    Returns:
        tuple[ndarray, ndarray]: Intersection and union of each pair, ``(S,)`` int64 pixels.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'Prediction and target must have one shape, but got {tuple(prediction.shape)} and '
            f'{tuple(target.shape)}. Score at the original size.')
    intersection = (prediction & target).flatten(1).sum(dim=1)
    union = (prediction | target).flatten(1).sum(dim=1)
    return intersection.cpu().numpy().astype(np.int64), union.cpu().numpy().astype(np.int64)


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
