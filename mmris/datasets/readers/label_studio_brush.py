"""Brush strokes of Label Studio: a run-length code of its own, packed to bits.

A header of 53 bits says how many words there are (32 bits), how many bits a word has (5 bits, less one) and how many
bits each of four kinds of counts has (4 bits each, less one). Runs follow until the words are complete: one bit that
is set if one word is repeated and not if words follow one by one, two bits with the kind of the count, the count less
one, and the word or the words. The words are the red, green, blue and alpha of all pixels, row by row; a pixel is in
the mask if its alpha is not 0.
"""

from typing import Any

import numpy as np

from mmris.utils.text import shorten


class _Bits:
    """Numbers out of a sequence of bits, highest bit first."""

    def __init__(self, content: bytes) -> None:
        bits = np.unpackbits(np.frombuffer(content, np.uint8))
        self._digits = (bits + ord('0')).tobytes()
        self._position = 0

    def read(self, count: int) -> int:
        digits = self._digits[self._position:self._position + count]
        if len(digits) < count:
            raise ValueError(f'its brush strokes (rle) end after {len(self._digits) // 8:,} bytes, before the last '
                             f'pixel')
        self._position += count
        return int(digits, 2)


def decode_brush(rle: Any, height: int, width: int) -> np.ndarray:
    """Decode the brush strokes of a region.

    Args:
        rle (list[int]): ``value.rle``: bytes.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        ndarray: ``(height, width)`` bool.

    Raises:
        ValueError: If it is no list of bytes, of another size, or not whole; the message has no full stop.
    """
    try:
        content = bytes(rle) if isinstance(rle, list) else None
    except (TypeError, ValueError):
        content = None
    if content is None:
        raise ValueError(f'its brush strokes (rle) are {shorten(rle)}, but a list of bytes is expected')
    bits = _Bits(content)
    count, word, sizes = bits.read(32), bits.read(5) + 1, [bits.read(4) + 1 for _ in range(4)]
    if count != 4 * height * width:
        raise ValueError(f'its brush strokes (rle) have {count:,} values, but an image of {height} x {width} pixels '
                         f'(height x width) has four a pixel')
    covered = np.zeros(count, dtype=bool)
    start = 0
    while start < count:
        repeated = bits.read(1)
        end = start + 1 + bits.read(sizes[bits.read(2)])
        if end > count:
            raise ValueError(f'its brush strokes (rle) go beyond the {count:,} values of its image')
        if repeated:
            covered[start:end] = bits.read(word) > 0
        else:
            for position in range(start, end):
                covered[position] = bits.read(word) > 0
        start = end
    return covered.reshape(height, width, 4)[..., 3]
