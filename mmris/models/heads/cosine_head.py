"""The patch map of RISCLIP: the angle between each pixel and the sentence."""

import math
from typing import Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import cosine_map

# What is below it differs by rounding alone.
SMALLEST_DEVIATION = 1e-5


@MODELS.register_module()
class CosineHead(BaseModule):
    """Logits ``scale * cosine + bias`` of each pixel with the sentence, at the pixels' own grid.

    Scale and bias are two numbers that are trained; CLIP's training begins at the same scale, 1 / 0.07.

    Args:
        scale (float): Scale at the start, positive. Defaults to 1 / 0.07.
        bias (float): Bias at the start. Defaults to 0.
        standardise (bool): Whether to bring the cosines of each expression to mean 0 and standard deviation 1 first,
            for features that nothing was trained on: which cosines are high differs from sentence to sentence.
            Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``scale`` is not positive.
    """

    def __init__(self,
                 *,
                 scale: float = 1 / 0.07,
                 bias: float = 0.0,
                 standardise: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if scale <= 0:
            raise ValueError(f'scale of CosineHead must be positive, but got {scale}.')
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))
        self.standardise = standardise

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Args:
            fused (FusedFeatures): Pixels ``(P, D, h, w)`` and sentence ``(P, D)`` of one space.

        Returns:
            Tensor: ``(P, 1, h, w)`` logits.
        """
        cosine = cosine_map(fused.pixels, fused.sentence)
        if self.standardise:
            deviation, mean = torch.std_mean(cosine, dim=(2, 3), keepdim=True, correction=0)
            cosine = (cosine - mean) / deviation.clamp(min=SMALLEST_DEVIATION)
        return self.log_scale.exp() * cosine + self.bias
