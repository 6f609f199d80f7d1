"""What a protocol is."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

import numpy as np

from .geometry import Size, same_map, stretch_affine
from .resampling import BILINEAR, Resampling
from .scoring import Scoring, check_existence_threshold

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar('Array', np.ndarray, 'Tensor')


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

    A protocol that scores at the input takes the way back for people alone: the metric compares what
    :meth:`probabilities_at_input` and :meth:`masks_at_input` give.

    Attributes:
        name (str): What a config calls it.
        resampling (Resampling): How logits come back to the original pixels. Default: the project's own.
        geometry (Geometry, optional): How images become inputs. None: in any way, such as the config's own.
        threshold (float): The probability above which a pixel belongs to the mask, in [0, 1).
        scoring (Scoring): How sentences are counted, those without a target too, and which scores they give.
        at_input (bool): Whether pixels are counted on the input instead of the original image. Default: False.

    Raises:
        ValueError: If ``at_input`` is set, and the geometry does not stretch images.
    """

    name: str
    resampling: Resampling = BILINEAR
    geometry: Optional[Geometry] = None
    threshold: float = 0.35
    scoring: Scoring = Scoring()
    at_input: bool = False

    def __post_init__(self) -> None:
        if self.at_input and (self.geometry is None or self.geometry.affine is not stretch_affine):
            raise ValueError(f'Protocol {self.name} scores at the input, to which masks are stretched, so its geometry '
                             f'must stretch images too. Give it one with stretch_affine, such as that of PillowResize.')

    @property
    def binary(self) -> bool:
        """bool: Whether the way back applies the threshold, and gives 0 and 1 alone."""
        return self.resampling.binary

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

    def to_original_pixels(self, logits: Array, affine: np.ndarray, input_size: Size, original_size: Size) -> Array:
        """Turn logits into probabilities on the original pixels.

        Arrays are computed by NumPy, without torch; the two differ by rounding.

        Args:
            logits (Tensor or ndarray): ``(S, 1, h, w)`` of S expressions about one image.
            affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous (the first pixel
                reaches from 0 to 1). Only scale and shift, no rotation.
            input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
            original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

        Returns:
            Tensor or ndarray: ``(S, H0, W0)`` float32 in [0, 1], of the kind of ``logits``.

        Raises:
            ValueError: If the map is not that of the protocol's geometry.
        """
        self._check_geometry(affine, input_size, original_size)
        if isinstance(logits, np.ndarray):
            from .numpy_ways_back import WAYS_BACK
            logits = logits.astype(np.float32)
        else:
            from .torch_ways_back import WAYS_BACK
            logits = logits.float()
        return WAYS_BACK[self.resampling.name](logits, affine, input_size, original_size)

    def logits_on_original_pixels(self, logits: 'Tensor', affine: np.ndarray, input_size: Size,
                                  original_size: Size) -> 'Tensor':
        """Bring logits to the original pixels as they are scored, short of the sigmoid: for losses.

        A pixel is above 0 here where :meth:`to_original_pixels` gives more than 1/2. Arguments are those of that
        method.

        Returns:
            Tensor: ``(S, H0, W0)`` float32, whose gradient reaches ``logits``.

        Raises:
            ValueError: If the protocol takes the sigmoid before it resamples.
            ValueError: If the map is not that of the protocol's geometry.
        """
        if not self.resampling.sigmoid_last:
            raise ValueError(f'Protocol {self.name} takes the sigmoid before it resamples, so it has no logits on the '
                             f'original pixels.')
        self._check_geometry(affine, input_size, original_size)
        from .torch_ways_back import LOGITS
        return LOGITS[self.resampling.name](logits.float(), affine, input_size, original_size)

    def probabilities_at_input(self, logits: 'Tensor', input_size: Size) -> 'Tensor':
        """Turn logits into probabilities on the input's pixels, for scoring.

        Args:
            logits (Tensor): ``(S, 1, h, w)``. Of a coarser grid than the input's, they are interpolated bilinearly.
            input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.

        Returns:
            Tensor: ``(S, H, W)`` float32 in [0, 1], above 1/2 exactly where a logit is above 0.
        """
        from .at_input import probabilities_at_input
        return probabilities_at_input(logits.float(), input_size)

    def masks_at_input(self, masks: 'Tensor', input_size: Size) -> 'Tensor':
        """Bring masks of the original pixels to the input's pixels, for scoring: of each the nearest, as by Pillow.

        Args:
            masks (Tensor): ``(S, H0, W0)`` bool.
            input_size (tuple[int, int]): ``(H, W)`` of the input in pixels, to which the image was stretched.

        Returns:
            Tensor: ``(S, H, W)`` bool.
        """
        from .at_input import masks_at_input
        return masks_at_input(masks, input_size)

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
