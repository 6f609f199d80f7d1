"""Sheets of predictions beside the ground truth."""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from mmris.evaluation import count_cases
from mmris.protocols import Scoring

from .drawing import COLOURS, spotlight
from .sheet import Panel, draw_sheet

TARGET_COLOUR, PREDICTION_COLOUR = COLOURS[0], COLOURS[1]
HEADINGS = ('image', 'ground truth', 'prediction')


@dataclass(frozen=True)
class ScoredPrediction:
    """What was predicted for one expression, and what would have been right.

    Attributes:
        text (str): The expression.
        image (ndarray): ``(H0, W0, 3)`` uint8 RGB.
        target (ndarray): ``(H0, W0)`` bool.
        mask (ndarray): ``(H0, W0)`` bool, the prediction, also where it says that nothing fits.
        scoring (Scoring): How the protocol counts it. Default: as protocol ``mmris``.
        existence (float, optional): How sure the model is that something fits, in [0, 1]. Default: None, it has no
            existence head.
        at_input (tuple[ndarray, ndarray], optional): Mask and target on the input's pixels, ``(H, W)`` bool each, if
            the protocol scores there. Default: None, it scores on the original pixels.
    """

    text: str
    image: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    scoring: Scoring = Scoring()
    existence: Optional[float] = None
    at_input: Optional[Tuple[np.ndarray, np.ndarray]] = None

    @property
    def iou(self) -> float:
        """float: As the metric scores it, in [0, 1]; ignored pixels count here."""
        mask, target = self._compared
        counts = (np.array([np.count_nonzero(one)]) for one in (mask & target, mask | target, mask, target))
        existence = None if self.existence is None else np.array([self.existence])
        return float(count_cases(self.scoring, *counts, existence).iou[0])

    @property
    def rejected(self) -> bool:
        """bool: Whether the prediction is that nothing on the image fits."""
        existence = None if self.existence is None else np.array([self.existence])
        return bool(self.scoring.reject(np.array([np.count_nonzero(self._compared[0])]), existence)[0])

    @property
    def note(self) -> str:
        """str: The IoU in percent; before it, if the prediction is that nothing fits, so and how sure the model is."""
        iou = f'{100 * self.iou:.0f}'
        if not self.rejected:
            return iou
        sure = '' if self.existence is None else f' ({100 * (1 - self.existence):.0f}% sure)'
        return f'nothing fits{sure}: {iou}'

    @property
    def _compared(self) -> Tuple[np.ndarray, np.ndarray]:
        """The mask and the target of which pixels are counted."""
        return (self.mask, self.target) if self.at_input is None else self.at_input


def mean_iou(predictions: Sequence[ScoredPrediction]) -> float:
    """The predictions' mean IoU in percent, over those that their protocol averages; NaN if there is none."""
    ious = [one.iou for one in predictions if one.target.any() or not one.scoring.iou_of_targets]
    return 100 * float(np.mean(ious)) if ious else float('nan')


def draw_prediction_sheet(predictions: Sequence[ScoredPrediction],
                          *,
                          title: str,
                          subtitle: str = '',
                          notes: Sequence[str] = (),
                          columns: int = 2,
                          cell: int = 190) -> Image.Image:
    """Draw image, ground truth and prediction of each expression.

    Args:
        predictions (Sequence[ScoredPrediction]): At least one.
        title (str): Large text at the top.
        subtitle (str): Smaller text below it. Defaults to ''.
        notes (Sequence[str]): Small text at the right of each caption. Default: (), the IoU in percent, and where the
            prediction is that nothing fits, so.
        columns (int): Expressions a row. Defaults to 2.
        cell (int): Width and height of a picture's cell in pixels. Defaults to 190.

    Returns:
        Image: RGB.

    Raises:
        ValueError: If there is no prediction, or a mask is not of its image's size.
    """
    notes = notes or [prediction.note for prediction in predictions]
    panels = [
        Panel(
            caption=prediction.text,
            note=note,
            pictures=[
                prediction.image,
                spotlight(prediction.image, prediction.target, TARGET_COLOUR),
                spotlight(prediction.image, prediction.mask & (not prediction.rejected), PREDICTION_COLOUR)
            ]) for prediction, note in zip(predictions, notes)
    ]
    return draw_sheet(panels, title=title, subtitle=subtitle, headings=HEADINGS, columns=columns, cell=cell)
