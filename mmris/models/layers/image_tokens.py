"""An image's class token and pixels as one sequence, and back."""

from typing import Optional, Tuple

import torch
from torch import Tensor


def join_image_tokens(pixels: Tensor, class_token: Optional[Tensor]) -> Tensor:
    """Put the class token, where there is one, before the pixels.

    Args:
        pixels (Tensor): ``(M, C, h, w)``.
        class_token (Tensor, optional): ``(M, C)``.

    Returns:
        Tensor: ``(M, T, C)``, the pixels row by row; T is ``h * w``, with a class token one more.
    """
    tokens = pixels.flatten(2).transpose(1, 2)
    return tokens if class_token is None else torch.cat((class_token[:, None], tokens), dim=1)


def split_image_tokens(tokens: Tensor, size: Tuple[int, int]) -> Tuple[Tensor, Optional[Tensor]]:
    """Undo :func:`join_image_tokens`.

    Args:
        tokens (Tensor): ``(M, T, C)``; T is ``h * w``, or one more.
        size (tuple[int, int]): ``(h, w)``.

    Returns:
        tuple[Tensor, Tensor or None]: Pixels ``(M, C, h, w)``, and the class token ``(M, C)`` where there is one.
    """
    height, width = size
    pixels = tokens[:, -height * width:].transpose(1, 2).unflatten(2, (height, width))
    return pixels, tokens[:, 0] if tokens.size(1) > height * width else None
