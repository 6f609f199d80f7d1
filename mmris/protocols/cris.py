"""CRIS, as its published code scores (Wang et al., CRIS: CLIP-Driven Referring Image Segmentation, CVPR 2022)."""

import cv2
import numpy as np

from .geometry import Size, cris_affine, cris_matrices, same_map, to_opencv
from .protocol import Geometry, Protocol
from .resampling import CRIS_TWICE
from .scoring import Scoring


def warp_as_cris(at_input: np.ndarray, affine: np.ndarray, input_size: Size, original_size: Size) -> np.ndarray:
    """Warp probabilities on the input's pixels cubically to the original pixels, with 0 beyond the input.

    Args:
        at_input (ndarray): ``(S, H, W)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        ndarray: ``(S, H0, W0)`` float32.
    """
    if same_map(affine, cris_affine(original_size, input_size)):
        # OpenCV places samples on 32nds of a pixel, so that the last bits of a map may decide.
        backward = cris_matrices(original_size, input_size)[1]
    else:
        backward = cv2.invertAffineTransform(to_opencv(affine))
    return np.stack([
        cv2.warpAffine(one, backward, original_size[::-1], flags=cv2.INTER_CUBIC, borderValue=0.0) for one in at_input
    ])


CRIS = Protocol('cris', CRIS_TWICE, geometry=Geometry('CRISWarp', cris_affine), scoring=Scoring(empty_iou=0.0))
