"""The head that says whether anything on the image fits a sentence."""

from typing import Dict, Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import check_width


@MODELS.register_module()
class ExistenceHead(BaseModule):
    """One logit an expression: above 0, something on the image fits it.

    It looks at the pixels twice, as their mean and as their mean where the mask's logits are high, and at the sentence
    and the mask's highest logit and area::

        a_n = softmax over the cells of the mask's logits
        x   = LayerNorm([sum_n a_n f_n, mean_n f_n, W s])
        e   = w . GELU(V [x, max_n l_n, mean_n sigmoid(l_n)])

    By default it only reads: its gradient stops at features and logits, so that masks are trained as without it. From
    scratch, a gradient into the features kept a small model from learning which object a sentence means
    (docs/generalised.md).

    The generalised task and a classifier of empty targets are those of Liu et al., GRES (ReLA), CVPR 2023; the form of
    this head is ours, so that it fits any method: it needs what every neck and decoder gives.

    Args:
        channels (int): Width of the fused pixels.
        sentence_channels (int): Width of the fused sentence.
        hidden (int): Width inside. Default: 256.
        loss_weight (float): Factor of the loss. Default: 0.1.
        no_target_weight (float): Factor of the loss of sentences that nothing fits, beside 1 for the others. With the
            ratio of the others to them, both count alike. Default: 1.0.
        detach (bool): Whether the gradient stops at the features. It always stops at the logits. Default: True.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.
    """

    def __init__(self,
                 *,
                 channels: int,
                 sentence_channels: int,
                 hidden: int = 256,
                 loss_weight: float = 0.1,
                 no_target_weight: float = 1.0,
                 detach: bool = True,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.channels, self.sentence_channels = channels, sentence_channels
        self.loss_weight, self.no_target_weight = loss_weight, no_target_weight
        self.detach = detach
        self.sentence_projection = nn.Linear(sentence_channels, channels)
        self.norm = nn.LayerNorm(3 * channels)
        self.classifier = nn.Sequential(nn.Linear(3 * channels + 2, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, fused: FusedFeatures, logits: Tensor) -> Tensor:
        """Judge.

        Args:
            fused (FusedFeatures): What the decoder gives: ``pixels (P, C, h, w)`` and ``sentence (P, D)``.
            logits (Tensor): ``(P, 1, h', w')``, the masks' logits, at least as fine as the pixels.

        Returns:
            Tensor: ``(P,)`` logits.

        Raises:
            ValueError: If pixels or sentence have other widths than ``channels`` and ``sentence_channels``.
        """
        owner = type(self).__name__
        pixels, sentence = (one.detach() if self.detach else one for one in (fused.pixels, fused.sentence))
        check_width(owner, 'channels', self.channels, of='the pixels', found=pixels.size(1))
        check_width(owner, 'sentence_channels', self.sentence_channels, of='the sentence', found=sentence.size(1))
        cells = F.adaptive_avg_pool2d(logits.detach(), pixels.shape[-2:]).flatten(1)
        pixels = pixels.flatten(2)
        looked_at = torch.bmm(pixels, cells.softmax(dim=1).to(pixels.dtype)[:, :, None]).squeeze(2)
        mask = torch.stack((cells.amax(dim=1), cells.sigmoid().mean(dim=1)), dim=1).to(pixels.dtype)
        seen = torch.cat((looked_at, pixels.mean(dim=2), self.sentence_projection(sentence)), dim=1)
        # Beside the norm: logits are of another order than features.
        return self.classifier(torch.cat((self.norm(seen), mask), dim=1)).squeeze(1)

    def loss(self, existence: Tensor, target: Tensor) -> Tensor:
        """Compute the weighted binary cross entropy, the mean over the expressions.

        Args:
            existence (Tensor): ``(P,)`` logits.
            target (Tensor): ``(P,)`` bool, whether anything fits.

        Returns:
            Tensor: Scalar.
        """
        weight = torch.where(target, 1.0, self.no_target_weight)
        return self.loss_weight * F.binary_cross_entropy_with_logits(existence.float(), target.float(), weight)

    @torch.no_grad()
    def measure(self, existence: Tensor, target: Tensor) -> Dict[str, Tensor]:
        """Count how often the head is right on a batch, beside always giving the batch's more frequent answer.

        Args:
            existence (Tensor), target (Tensor): See :meth:`loss`.

        Returns:
            dict[str, Tensor]: ``existence_accuracy`` and ``chance_existence``, scalars in [0, 1].
        """
        share = target.float().mean()
        return dict(
            existence_accuracy=((existence > 0) == target).float().mean(),
            chance_existence=torch.maximum(share, 1 - share))
