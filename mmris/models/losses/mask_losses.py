"""Losses between the logits of a mask and a target mask or probability."""

from abc import abstractmethod
from typing import Optional, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmris.registry import MODELS


class MaskLoss(nn.Module):
    """A weighted loss between logits and a target of the same shape.

    Args:
        loss_weight (float): Factor. Defaults to 1.0.
    """

    def __init__(self, *, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            logits (Tensor): ``(P, 1, h, w)``.
            target (Tensor): ``(P, 1, h, w)`` float in [0, 1].

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: If the shapes differ.
        """
        if logits.shape != target.shape:
            raise ValueError(
                f'{type(self).__name__} needs logits and target of one shape, but got {tuple(logits.shape)} and '
                f'{tuple(target.shape)}. Resize the target to the logits.')
        return self.loss_weight * self.compute(logits, target)

    @abstractmethod
    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss without its weight."""


@MODELS.register_module()
class BinaryCrossEntropyLoss(MaskLoss):
    """Mean over pixels of ``-t log(p) - (1 - t) log(1 - p)``, p the sigmoid of the logits.

    With ``class_weights`` (b, o) each pixel counts by ``w = b (1 - t) + o t``, and the sum is divided by that of the
    weights: for targets of 0 and 1 what PyTorch's cross entropy of two classes with these weights is.

    Args:
        loss_weight (float): Factor. Defaults to 1.0.
        class_weights (Sequence[float], optional): Weights of background and object, both above 0. Default: None, all
            pixels count alike.

    Raises:
        ValueError: If ``class_weights`` are not two numbers above 0.
    """

    def __init__(self, *, loss_weight: float = 1.0, class_weights: Optional[Sequence[float]] = None) -> None:
        super().__init__(loss_weight=loss_weight)
        if class_weights is not None and (len(class_weights) != 2 or min(class_weights) <= 0):
            raise ValueError(f'class_weights of BinaryCrossEntropyLoss must be two numbers above 0, the weights of '
                             f'background and object, but got {class_weights!r}.')
        self.class_weights = class_weights

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.class_weights is None:
            return F.binary_cross_entropy_with_logits(logits, target)
        background, foreground = self.class_weights
        weights = background + (foreground - background) * target
        return F.binary_cross_entropy_with_logits(logits, target, weights, reduction='sum') / weights.sum()


@MODELS.register_module()
class DiceLoss(MaskLoss):
    """Mean over expressions of ``1 - (2 sum(p t) + s) / (sum(p^2) + sum(t^2) + s)`` (Milletari et al., V-Net, 2016).

    Args:
        loss_weight (float): Factor. Defaults to 1.0.
        smooth (float): The s above, which gives an empty prediction on an empty target a loss of 0. Defaults to 1.0.
        squared (bool): Square p and t in the denominator, as above. If false it is ``sum(p) + sum(t) + s``, as LISA
            and EVF-SAM have it, whose s is 1e-3. Default: True.
    """

    def __init__(self, *, loss_weight: float = 1.0, smooth: float = 1.0, squared: bool = True) -> None:
        super().__init__(loss_weight=loss_weight)
        self.smooth = smooth
        self.squared = squared

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        probability, target = logits.sigmoid().flatten(1), target.flatten(1)
        overlap = 2 * (probability * target).sum(dim=1) + self.smooth
        if self.squared:
            probability, target = probability.square(), target.square()
        total = probability.sum(dim=1) + target.sum(dim=1) + self.smooth
        return (1 - overlap / total).mean()


@MODELS.register_module()
class FocalLoss(MaskLoss):
    """Mean over pixels of ``-a_t (1 - p_t)^gamma log(p_t)`` (Lin et al., RetinaNet, 2017), for targets in [0, 1].

    ``p_t = t p + (1 - t)(1 - p)`` and ``a_t = t alpha + (1 - t)(1 - alpha)``; ``log(p_t)`` is minus the binary cross
    entropy, which for targets of 0 and 1 is the same.

    Args:
        loss_weight (float): Factor. Defaults to 1.0.
        alpha (float): Weight of the foreground, in [0, 1]. Defaults to 0.25.
        gamma (float): Exponent, at least 0. Defaults to 2.0.
    """

    def __init__(self, *, loss_weight: float = 1.0, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__(loss_weight=loss_weight)
        self.alpha = alpha
        self.gamma = gamma

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        probability = logits.sigmoid()
        agreement = target * probability + (1 - target) * (1 - probability)
        weight = target * self.alpha + (1 - target) * (1 - self.alpha)
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
        return (weight * (1 - agreement)**self.gamma * entropy).mean()
