"""What a protocol is."""

from dataclasses import dataclass, replace
from typing import Callable, Optional, Tuple, TypeVar

import numpy as np
from torch import Tensor

from .scoring import Scoring, check_existence_threshold

Size = Tuple[int, int]
Array = TypeVar('Array', np.ndarray, Tensor)

WayBack = Callable[[Tensor, np.ndarray, Size, Size], Tensor]


def same_map(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two ``(2, 3)`` maps differ by no more than rounding: CRIS computes its own in float32."""
    return np.allclose(one, other, rtol=0, atol=1e-3)


@dataclass(frozen=True)
class Geometry:
    """How images of any size become inputs of one size.

    Attributes:
        step (str): The type of the pipeline's step that does it.
        affine (Callable): From the image's and the input's size, each height and width in pixels, to the ``(2, 3)``
            float64 map from original to input coordinates. Both are continuous: the first pixel reaches from 0 to 1.
    """

    step: str
    affine: Callable[[Size, Size], np.ndarray]


@dataclass(frozen=True)
class Protocol:
    """A paper's way from an image to an input, and from logits to a score.

    A config names one as ``model.protocol``. Its pipelines then take images in by the protocol's geometry, the model
    brings logits back to the original pixels by its way back, and whoever decides or scores (metric, pictures, tools)
    uses its threshold and its scoring.

    Attributes:
        name (str): What a config calls it.
        way_back (Callable): From logits ``(S, 1, h, w)`` float32, the map from original to input coordinates, and the
            sizes of input and original, to ``(S, H0, W0)`` probabilities in [0, 1]. It takes the sigmoid, before
            resampling or after it.
        geometry (Geometry, optional): How images become inputs. None: in any way, such as the config's own.
        resample_logits (Callable, optional): The way back without its sigmoid, of a protocol that takes the sigmoid
            after resampling: from the same arguments to ``(S, H0, W0)`` logits, whose gradient reaches the logits that
            go in. None: the sigmoid comes first, so there are no logits on the original pixels.
        threshold (float): The probability above which a pixel belongs to the mask, in [0, 1).
        binary (bool): Whether the way back applies the threshold, and gives 0 and 1 alone.
        scoring (Scoring): How sentences are counted, those without a target too, and which scores they give.
    """

    name: str
    way_back: WayBack
    geometry: Optional[Geometry] = None
    threshold: float = 0.35
    binary: bool = False
    scoring: Scoring = Scoring()
    resample_logits: Optional[WayBack] = None

    def with_threshold(self, threshold: Optional[float]) -> 'Protocol':
        """The same protocol with another threshold.

        Args:
            threshold (float, optional): In [0, 1). None: its own.

        Returns:
            Protocol: The protocol.

        Raises:
            ValueError: If ``threshold`` is not in that range.
            ValueError: If the way back applies the threshold, so that no other can be chosen after it.
        """
        if threshold is None:
            return self
        threshold = float(threshold)
        if threshold == self.threshold:
            return self
        if not 0 <= threshold < 1:
            raise ValueError(f'threshold is a probability in [0, 1), but got {threshold}.')
        if self.binary:
            raise ValueError(
                f'Protocol {self.name} applies its threshold of {self.threshold} before it resizes masks, so a '
                f'threshold of {threshold} (of a metric in the config, a hook, or --threshold) would have no effect. '
                f'Leave it out, set it to {self.threshold}, or choose another protocol (model.protocol).')
        return replace(self, threshold=threshold)

    def with_existence_threshold(self, threshold: Optional[float]) -> 'Protocol':
        """The same protocol with another threshold of existence.

        Args:
            threshold (float, optional): In (0, 1). None: its own.

        Returns:
            Protocol: The protocol.

        Raises:
            ValueError: If ``threshold`` is not in that range.
            ValueError: If the protocol does not ask for existence.
        """
        if threshold is None or threshold == self.scoring.existence_threshold:
            return self
        threshold = check_existence_threshold(threshold)
        if not self.scoring.uses_existence:
            raise ValueError(
                f'Protocol {self.name} does not ask whether anything fits a sentence, so an existence_threshold of '
                f'{threshold} would have no effect. Leave it out, or choose another protocol (model.protocol), such '
                f'as rela.')
        return replace(self, scoring=replace(self.scoring, existence_threshold=threshold))

    def to_original_pixels(self, logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
        """Turn logits into probabilities on the original pixels.

        Args:
            logits (Tensor): ``(S, 1, h, w)`` of S expressions about one image.
            affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous (the first pixel
                reaches from 0 to 1). Only scale and shift, no rotation.
            input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
            original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

        Returns:
            Tensor: ``(S, H0, W0)`` float32 in [0, 1].

        Raises:
            ValueError: If the map is not that of the protocol's geometry.
        """
        self._check_geometry(affine, input_size, original_size)
        return self.way_back(logits.float(), affine, input_size, original_size)

    def logits_on_original_pixels(self, logits: Tensor, affine: np.ndarray, input_size: Size,
                                  original_size: Size) -> Tensor:
        """Bring logits to the original pixels as they are scored, short of the sigmoid: for losses.

        A pixel is above 0 here where :meth:`to_original_pixels` gives more than 1/2. Arguments are those of that
        method.

        Returns:
            Tensor: ``(S, H0, W0)`` float32, whose gradient reaches ``logits``.

        Raises:
            ValueError: If the protocol takes the sigmoid before it resamples.
            ValueError: If the map is not that of the protocol's geometry.
        """
        if self.resample_logits is None:
            raise ValueError(f'Protocol {self.name} takes the sigmoid before it resamples, so it has no logits on the '
                             f'original pixels.')
        self._check_geometry(affine, input_size, original_size)
        return self.resample_logits(logits.float(), affine, input_size, original_size)

    def _check_geometry(self, affine: np.ndarray, input_size: Size, original_size: Size) -> None:
        if self.geometry is None or same_map(affine, self.geometry.affine(original_size, input_size)):
            return
        raise ValueError(
            f'Protocol {self.name} scores images that became inputs by {self.geometry.step}, but one of '
            f'{original_size[0]} x {original_size[1]} pixels (height x width) did so by another step. Put '
            f'{self.geometry.step} into the pipeline in place of it; where model.protocol is set before a '
            f'model or runner is built from the config, that is done for you.')

    def masks(self, probabilities: Array) -> Array:
        """Decide which pixels belong to masks.

        Args:
            probabilities (Tensor or ndarray): Of any shape, values in [0, 1].

        Returns:
            Tensor or ndarray: bool of the same shape.
        """
        return probabilities > self.threshold
