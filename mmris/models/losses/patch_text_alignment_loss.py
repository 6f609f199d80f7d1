"""The loss that brings patches and sentence together in the joint space."""

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import MainPass, ReferringDataSample, gather_input_masks

from ..layers import check_joint_space, cosine_map, mask_coverage


@MODELS.register_module()
class PatchTextAlignmentLoss(nn.Module):
    """Binary cross entropy between the cosine of patch and sentence and the share of the patch that the target covers.

    ::

        z_n = scale * cos(v_n, s) + bias
        loss = mean_n of -t_n log(sigmoid(z_n)) - (1 - t_n) log(1 - sigmoid(z_n))

    v_n are the patches and s is the sentence in the encoder's joint space, t_n in [0, 1] is the covered share of patch
    n. Patches that lie wholly in the letterbox border are left out; the mean is over the patches of all expressions.
    This is the text-to-pixel contrastive loss of CRIS (Wang et al., CVPR 2022), at the encoder's output, on cosines.

    A correlation filter finds the target's patches only in an aligned joint space. CLIP's pretraining aligns it;
    a model from scratch aligns it with this loss. It works with any encoder and has no weights of its own::

        auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss'))

    Args:
        scale (float): Factor of the cosine, positive. Defaults to 1 / 0.07, where CLIP's own training starts.
        bias (float): Added to the scaled cosine. 0 pushes the cosine of the background below 0, so the dot product of
            a correlation filter separates it too. For pretrained towers whose cosines are all positive, a negative
            bias changes less of what they know. Defaults to 0.
        loss_weight (float): Factor of the loss. Defaults to 1.0.

    Raises:
        ValueError: If ``scale`` is not positive.
    """

    def __init__(self, *, scale: float = 1 / 0.07, bias: float = 0.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if scale <= 0:
            raise ValueError(f'scale of PatchTextAlignmentLoss must be positive, but got {scale}.')
        self.scale = scale
        self.bias = bias
        self.loss_weight = loss_weight

    def forward(self, main: MainPass, data_samples: Sequence[ReferringDataSample]) -> Tensor:
        """Compute the weighted loss.

        Args:
            main (MainPass): What the main branch computed.
            data_samples (Sequence[ReferringDataSample]): B samples with ``gt_input (S, H, W)``.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: If a sample has no ``gt_input``, or the encoder has no joint space.
        """
        encoded = main.encoded
        check_joint_space(type(self).__name__, encoded.image.patches.size(2), encoded.text.sentence.size(1))
        inside = main.inside
        grid = tuple(inside.shape[1:])
        image = main.encoded.image
        patches = image.patches.transpose(1, 2).unflatten(2, grid).index_select(0, main.encoded.image_index)
        cosine = cosine_map(patches, main.encoded.text.sentence).squeeze(1)
        target = gather_input_masks(data_samples, 'PatchTextAlignmentLoss')
        covered = mask_coverage(target, grid, main.encoded.region).squeeze(1)
        losses = F.binary_cross_entropy_with_logits(self.scale * cosine + self.bias, covered, reduction='none')
        return self.loss_weight * torch.where(inside, losses, 0).sum() / inside.sum().clamp(min=1)
