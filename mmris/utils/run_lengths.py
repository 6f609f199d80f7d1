"""Masks as COCO writes them: run lengths, compressed to a string. In NumPy, so that pycocotools need not be there."""

from typing import Any, Dict, List

import numpy as np


def encode_mask(mask: np.ndarray) -> Dict[str, Any]:
    """Encode a mask as pycocotools does.

    Args:
        mask (ndarray): ``(H, W)`` bool or uint8, not 0 inside.

    Returns:
        dict: ``size``, ``[H, W]``, and ``counts``, a string.
    """
    # Down the columns, from left to right.
    pixels = np.asarray(mask, dtype=bool).ravel(order='F')
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    # The first run is of pixels outside, if only of none.
    first = [0] if pixels.size and pixels[0] else []
    counts = np.diff(np.concatenate((first, [0], changes, [pixels.size]))).astype(np.int64)
    return dict(size=[int(side) for side in mask.shape], counts=_compress(counts))


def _compress(counts: np.ndarray) -> str:
    """Write run lengths as COCO does: from the fourth on as the difference to the last but one, 5 bits a character."""
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    characters: List[str] = []
    for number in numbers.tolist():
        while True:
            bits = number & 0x1f
            number >>= 5
            # What follows is the sign alone, which the highest of these bits says too.
            is_last = number == (-1 if bits & 0x10 else 0)
            characters.append(chr(48 + (bits if is_last else bits | 0x20)))
            if is_last:
                break
    return ''.join(characters)
