"""What tells the pixels of one input from those of another."""

import hashlib
from typing import Sequence

import numpy as np

#: Bytes of a digest.
DIGEST_BYTES = 16


def digest_pixels(pixels: np.ndarray, box: Sequence[float]) -> bytes:
    """Compute the digest of an image as it enters a model, so after all geometry.

    Args:
        pixels (ndarray): ``(H, W, 3)`` RGB, uint8 or float32.
        box (Sequence[float]): ``x0, y0, x1, y1`` of the rectangle that the image fills.

    Returns:
        bytes: 16 bytes (BLAKE2b). Inputs that differ in shape, dtype, box or any pixel have different ones.
    """
    heading = f'{pixels.dtype.str} {pixels.shape} {[float(edge) for edge in box]}\n'
    digest = hashlib.blake2b(heading.encode(), digest_size=DIGEST_BYTES)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
