"""Masks over images."""

from typing import Sequence, Tuple

import cv2
import numpy as np

Colour = Tuple[int, int, int]

# Distinct also for most colour-blind people (Okabe and Ito).
COLOURS: Tuple[Colour, ...] = ((0, 158, 115), (230, 159, 0), (86, 180, 233), (204, 121, 167), (213, 94, 0),
                               (240, 228, 66), (0, 114, 178))


def overlay_mask(image: np.ndarray, mask: np.ndarray, colour: Colour, opacity: float = 0.45) -> np.ndarray:
    """Tint the masked pixels and draw the mask's outline.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        mask (ndarray): ``(H, W)`` bool.
        colour (tuple[int, int, int]): Red, green, blue in 0 to 255.
        opacity (float): Of the tint, in [0, 1]. Defaults to 0.45.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, a new image.

    Raises:
        ValueError: If image and mask differ in size.
    """
    _check_size(image, mask)
    drawn = image.copy()
    tint = np.asarray(colour, dtype=np.float32)
    drawn[mask] = (drawn[mask] * (1 - opacity) + tint * opacity).astype(np.uint8)
    return _outline(drawn, mask, colour)


def spotlight(image: np.ndarray, mask: np.ndarray, colour: Colour, fading: float = 0.72) -> np.ndarray:
    """Fade all but the masked pixels to white, which keep their own colours, and draw the mask's outline.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        mask (ndarray): ``(H, W)`` bool.
        colour (tuple[int, int, int]): Of the outline; red, green, blue in 0 to 255.
        fading (float): Of what lies outside, in [0, 1]. Defaults to 0.72.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, a new image.

    Raises:
        ValueError: If image and mask differ in size.
    """
    _check_size(image, mask)
    faded = (image * (1 - fading) + 255 * fading).astype(np.uint8)
    return _outline(np.where(mask[..., None], image, faded), mask, colour)


def _check_size(image: np.ndarray, mask: np.ndarray) -> None:
    if image.shape[:2] != mask.shape:
        raise ValueError(f'The mask is {mask.shape} (height, width), but its image is {image.shape[:2]}.')


def _outline(drawn: np.ndarray, mask: np.ndarray, colour: Colour) -> np.ndarray:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(drawn.shape[:2]) / 300))
    # OpenCV draws into arrays of its own layout alone; an image may be a transposed view.
    return cv2.drawContours(np.ascontiguousarray(drawn), contours, -1, colour, thickness)


def overlay_masks(image: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Draw several masks, each in its own colour (:data:`COLOURS`, in turn)."""
    for position, mask in enumerate(masks):
        image = overlay_mask(image, mask, COLOURS[position % len(COLOURS)])
    return image
