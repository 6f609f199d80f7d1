"""How alike pixels and a sentence are."""

import torch.nn.functional as F
from torch import Tensor


def cosine_map(pixels: Tensor, sentence: Tensor) -> Tensor:
    """Cosine of the angle between each pixel and the sentence.

    Args:
        pixels (Tensor): ``(P, D, h, w)``.
        sentence (Tensor): ``(P, D)``.

    Returns:
        Tensor: ``(P, 1, h, w)`` float32 in [-1, 1].
    """
    return F.cosine_similarity(pixels.float(), sentence.float()[:, :, None, None], dim=1).unsqueeze(1)
