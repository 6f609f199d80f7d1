"""The loss of choosing among instance masks."""

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmris.registry import MODELS
from mmris.structures import MainPass, ReferringDataSample


@MODELS.register_module()
class MaskSelectionLoss(nn.Module):
    """Mean over instances of the binary cross entropy of their scores: are they what the sentence refers to?

    An instance is, if its IoU with the ground truth is above a threshold. A reconstruction of MaIL's selection loss.

    Args:
        threshold (float): The IoU above which an instance counts as meant, in [0, 1). Defaults to 0.5.
        loss_weight (float): Factor. Defaults to 1.0.

    Raises:
        ValueError: If ``threshold`` is not in [0, 1).
    """

    def __init__(self, *, threshold: float = 0.5, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= threshold < 1:
            raise ValueError(f'threshold of MaskSelectionLoss is an IoU in [0, 1), but got {threshold}.')
        self.threshold = threshold
        self.loss_weight = loss_weight

    def forward(self, main: MainPass, data_samples: Sequence[ReferringDataSample]) -> Tensor:
        """Compute the weighted loss.

        Args:
            main (MainPass): With scores of instances, as :class:`~mmris.models.decoders.ProgressiveDecoder` gives them.
            data_samples (Sequence[ReferringDataSample]): B samples with ``instance_masks (K_b, H, W)`` and
                ``instance_iou (S, K_b)``.

        Returns:
            Tensor: Scalar; 0 where no image has an instance.

        Raises:
            ValueError: If there are no scores, or a sample has no ``instance_iou``, or one of other instances.
        """
        instances = main.fused.instances
        if instances is None or instances.scores is None:
            raise ValueError('MaskSelectionLoss needs scores of instances, but the decoder gave none: set '
                             'mask_selection=True of ProgressiveDecoder.')
        if not all('instance_iou' in sample for sample in data_samples):
            raise ValueError('MaskSelectionLoss needs the IoU of instances and ground truth, which a sample lacks: put '
                             'MatchInstances into the training pipeline, and instance_iou into the masks of '
                             'PackReferringInputs.')
        for sample in data_samples:
            if sample.instance_iou.size(1) != len(sample.instance_masks):
                raise ValueError(
                    f'A sample has {len(sample.instance_masks)} instance masks, but instance_iou of '
                    f'{sample.instance_iou.size(1)}: a transform behind MatchInstances changed one of them alone.')
        rows = [row for sample in data_samples for row in sample.instance_iou]
        meant = (pad_sequence(rows, batch_first=True) > self.threshold).float()
        present = instances.present
        losses = F.binary_cross_entropy_with_logits(instances.scores.float(), meant, reduction='none')
        return self.loss_weight * torch.where(present, losses, 0).sum() / present.sum().clamp(min=1)
