"""Sentences with and without a target: what each counts, and the scores of all, as pure functions."""

from dataclasses import dataclass
from typing import Dict, Optional

import numpy as np

from mmris.protocols import Scoring

from .iou import iou_scores, overall_iou, share_of


@dataclass(frozen=True)
class Cases:
    """What P sentences count.

    Attributes:
        intersection (ndarray): ``(P,)`` int64 pixels.
        union (ndarray): ``(P,)`` int64 pixels.
        iou (ndarray): ``(P,)`` float64 in [0, 1].
        targeted (ndarray): ``(P,)`` bool, whether there is a target.
        rejected (ndarray): ``(P,)`` bool, whether the prediction says that nothing fits.
    """

    intersection: np.ndarray
    union: np.ndarray
    iou: np.ndarray
    targeted: np.ndarray
    rejected: np.ndarray


def count_cases(scoring: Scoring,
                intersection: np.ndarray,
                union: np.ndarray,
                predicted_pixels: np.ndarray,
                target_pixels: np.ndarray,
                existence: Optional[np.ndarray] = None) -> Cases:
    """Count sentences by the cases of a protocol (see :class:`~mmris.protocols.Scoring`).

    Args:
        scoring (Scoring): The protocol's.
        intersection (ndarray): ``(P,)`` int64 pixels of the masks as predicted, as are the next three.
        union (ndarray): ``(P,)``.
        predicted_pixels (ndarray): ``(P,)``.
        target_pixels (ndarray): ``(P,)``.
        existence (ndarray, optional): ``(P,)`` float32 in [0, 1], of the model's existence head. Default: None, it has
            none.

    Returns:
        Cases: What each sentence counts.
    """
    targeted = np.asarray(target_pixels) > 0
    rejected = scoring.reject(predicted_pixels, existence)
    right, wrong = rejected & ~targeted, rejected & targeted
    union = np.where(right, 0, union)
    if not scoring.keeps_rejected:
        intersection = np.where(wrong, 0, intersection)
    if scoring.clears_rejected:
        union = np.where(wrong, target_pixels, union)
    iou = np.where(right, scoring.empty_iou, iou_scores(intersection, union, empty=0.0))
    return Cases(intersection, union, iou, targeted, rejected)


def summarise_cases(cases: Cases, scoring: Scoring) -> Dict[str, float]:
    """Score P sentences.

    Args:
        cases (Cases): What they count, in an order that does not depend on how they were computed, since the mean is
            summed in it.
        scoring (Scoring): The protocol's.

    Returns:
        dict[str, float]: The scores of :attr:`~mmris.protocols.scoring.Scoring.names` in percent. NaN where one is
        undefined: an overall IoU without any union, a mean or a share of no sentence.

    Raises:
        ValueError: If there is no sentence.
    """
    if len(cases.union) == 0:
        raise ValueError('There is no expression to summarise: the data set or the selection of expressions is empty.')
    counted = cases.targeted if scoring.iou_of_targets else np.ones_like(cases.targeted)
    values = [overall_iou(cases.intersection[counted], cases.union[counted]), share_of(cases.iou[counted])]
    if scoring.no_target_accuracy is not None:
        values.append(share_of(cases.rejected[~cases.targeted]))
    if scoring.target_accuracy is not None:
        values.append(share_of(~cases.rejected[cases.targeted]))
    iou = cases.iou[cases.targeted] if scoring.precision_of_targets else cases.iou
    values += [share_of(iou >= x if scoring.at_least else iou > x) for x in scoring.precisions]
    return dict(zip(scoring.names, values))
