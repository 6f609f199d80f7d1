"""CRIS, as its published code scores (Wang et al., CRIS: CLIP-Driven Referring Image Segmentation, CVPR 2022)."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import cris_affine, cris_matrices, to_opencv
from .protocol import Geometry, Protocol, Size, same_map
from .scoring import Scoring


def resample_twice(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Sigmoids; bicubic to the input's size, corners aligned; cubic to the original pixels, with 0 beyond the input.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        Tensor: ``(S, H0, W0)`` float32 in [0, 1].
    """
    at_input = F.interpolate(logits.sigmoid(), size=input_size, mode='bicubic', align_corners=True)[:, 0]
    if same_map(affine, cris_affine(original_size, input_size)):
        # OpenCV places samples on 32nds of a pixel, so that the last bits of a map may decide.
        backward = cris_matrices(original_size, input_size)[1]
    else:
        backward = cv2.invertAffineTransform(to_opencv(affine))
    warped = [
        cv2.warpAffine(one, backward, original_size[::-1], flags=cv2.INTER_CUBIC, borderValue=0.0)
        for one in at_input.detach().cpu().numpy()
    ]
    # Cubic interpolation overshoots, which is of no consequence to masks.
    return torch.from_numpy(np.stack(warped)).to(logits.device).clamp(0, 1)


CRIS = Protocol('cris', resample_twice, geometry=Geometry('CRISWarp', cris_affine), scoring=Scoring(empty_iou=0.0))
