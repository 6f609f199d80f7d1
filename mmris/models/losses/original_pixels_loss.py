"""A loss where masks are scored: on the original pixels."""

from typing import Sequence

from torch import Tensor, nn

from mmris.protocols import PROTOCOLS, Protocol
from mmris.registry import MODELS
from mmris.structures import MainPass, ReferringDataSample


@MODELS.register_module()
class OriginalPixelsLoss(nn.Module):
    """Mean over expressions of a mask loss between logits and ground truth on the original pixels, as EVF-SAM trains.

    Logits come to the original pixels of each image, whatever its size, by the way that they are scored: that of the
    model's protocol (and ``resampling``), without its sigmoid. It takes the place of ``model.losses``, whose targets
    are resized to the logits instead. The training pipeline has to pack the masks::

        model = dict(
            losses=None,
            auxiliary_losses=dict(
                bce=dict(type='OriginalPixelsLoss', loss=dict(type='BinaryCrossEntropyLoss')),
                dice=dict(type='OriginalPixelsLoss', loss=dict(type='DiceLoss', squared=False, smooth=1e-3))))
        inputs = dict(steps=dict(pack=dict(phase='train', masks=['gt_original'])))

    Args:
        loss (dict): Config of a loss between logits and target that is a mean over expressions of one size, such as
            :class:`DiceLoss`. Its weight is the weight of the whole.
    """

    def __init__(self, *, loss: dict) -> None:
        super().__init__()
        self.loss = MODELS.build(loss)

    def forward(self, main: MainPass, data_samples: Sequence[ReferringDataSample]) -> Tensor:
        """Compute the weighted loss.

        Args:
            main (MainPass): What the main branch computed.
            data_samples (Sequence[ReferringDataSample]): B samples with ``gt_original (S, H0, W0)`` bool, and with the
                ``affine``, ``img_shape`` and ``ori_shape`` of their image.

        Returns:
            Tensor: Scalar, float32.

        Raises:
            ValueError: If a sample has no ``gt_original``.
            ValueError: If the protocol takes the sigmoid before it resamples, so that there are no such logits.
            ValueError: If an image became an input by another geometry than the protocol's.
        """
        _check(main.protocol, data_samples)
        counts = [len(sample.gt_original) for sample in data_samples]
        # Of each image the sum over its expressions.
        sums = []
        for sample, logits, count in zip(data_samples, main.logits.split(counts), counts):
            resampled = main.protocol.logits_on_original_pixels(logits, sample.affine, sample.img_shape,
                                                                sample.ori_shape)
            # As bool until here: one image at a time is float.
            target = sample.gt_original.to(resampled.dtype)
            sums.append(count * self.loss(resampled.unsqueeze(1), target.unsqueeze(1)))
        return sum(sums) / sum(counts)


def _check(protocol: Protocol, data_samples: Sequence[ReferringDataSample]) -> None:
    if not all('gt_original' in sample for sample in data_samples):
        raise ValueError(
            'OriginalPixelsLoss needs the masks on the original pixels, gt_original, which a sample lacks: set '
            "inputs.steps.pack=dict(phase='train', masks=['gt_original']) (the masks of PackReferringInputs).")
    if not protocol.resampling.sigmoid_last:
        able = ', '.join(name for name, one in PROTOCOLS.items() if one.resampling.sigmoid_last)
        raise ValueError(
            f'OriginalPixelsLoss needs logits on the original pixels, but by model.protocol={protocol.name!r} (or '
            f'model.resampling) the sigmoid is taken before resampling. Protocols and resamplings that resample '
            f'logits: {able}.')
