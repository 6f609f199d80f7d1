"""How a protocol turns counted pixels into scores."""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np


@dataclass(frozen=True)
class Scoring:
    """How sentences are counted, and which scores they give. The defaults are those of protocol ``mmris``.

    A sentence has a target, or none: then its ground truth has no pixel. A prediction is rejected if it says that
    nothing fits the sentence. So there are four cases:

    - no target, rejected: the IoU is ``empty_iou``, and neither intersection nor union gets a pixel.
    - no target, not rejected: the IoU is 0, and the union is the mask.
    - a target, rejected: the intersection is 0, unless ``keeps_rejected``. The union is that of the mask as predicted,
      unless ``clears_rejected``.
    - a target, not rejected: intersection and union as counted.

    Attributes:
        mean (str): The name of the mean IoU.
        overall (str): The name of the sum of intersections over the sum of unions.
        no_target_accuracy (str, optional): The name of the share of rejected ones among sentences without a target.
            None: no such score.
        target_accuracy (str, optional): The name of the share of those not rejected among sentences with a target.
            None: no such score.
        precisions (tuple[float]): The X of each Pr@X. Empty: no such score.
        at_least (bool): Whether an IoU of exactly X counts in Pr@X.
        iou_of_targets (bool): Whether mean and overall IoU are those of sentences with a target alone.
        precision_of_targets (bool): Whether Pr@X is a share of the sentences with a target alone.
        empty_iou (float): The IoU of a prediction that is rightly rejected: 1 or 0.
        uses_existence (bool): Whether the model's existence head decides what is rejected, if the model has one.
        existence_threshold (float): An existence below it is rejected. In (0, 1).
        min_pixels (int): Without the head's answer, a mask of fewer pixels is rejected. At least 1.
        keeps_rejected (bool): Whether a rejected prediction of a target keeps its intersection.
        clears_rejected (bool): Whether the mask of a rejected prediction of a target is emptied before its union is
            counted.
        uses_ignored (bool): Whether the pixels that a data set says to ignore are left out of all counts.
    """

    mean: str = 'mIoU'
    overall: str = 'oIoU'
    no_target_accuracy: Optional[str] = None
    target_accuracy: Optional[str] = None
    precisions: Tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9)
    at_least: bool = False
    iou_of_targets: bool = False
    precision_of_targets: bool = False
    empty_iou: float = 1.0
    uses_existence: bool = False
    existence_threshold: float = 0.5
    min_pixels: int = 1
    keeps_rejected: bool = False
    clears_rejected: bool = False
    uses_ignored: bool = False

    @property
    def names(self) -> Tuple[str, ...]:
        """tuple[str]: The names of all scores, in the order in which they are reported."""
        accuracies = (name for name in (self.no_target_accuracy, self.target_accuracy) if name is not None)
        return self.overall, self.mean, *accuracies, *(f'Pr@{threshold}' for threshold in self.precisions)

    def reject(self, predicted_pixels: np.ndarray, existence: Optional[np.ndarray] = None) -> np.ndarray:
        """Decide which predictions say that nothing fits.

        Args:
            predicted_pixels (ndarray): ``(P,)``, pixels of each mask.
            existence (ndarray, optional): ``(P,)`` in [0, 1], how sure the model is that something fits. Default:
                None, it has no existence head.

        Returns:
            ndarray: ``(P,)`` bool.
        """
        if existence is None or not self.uses_existence:
            return np.asarray(predicted_pixels) < self.min_pixels
        # In the type of the model's answers: 0.7 of float32 is below 0.7 of float64.
        return np.asarray(existence, np.float32) < np.float32(self.existence_threshold)


def check_existence_threshold(threshold: float) -> float:
    """Check a threshold of existence.

    Args:
        threshold (float): In (0, 1).

    Returns:
        float: The threshold.

    Raises:
        ValueError: If it is not in that range.
    """
    if not 0 < threshold < 1:
        raise ValueError(f'existence_threshold is a probability in (0, 1), but got {threshold}.')
    return float(threshold)
