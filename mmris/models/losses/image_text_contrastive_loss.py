"""The loss that brings whole images and sentences together in the joint space, as CLIP's pretraining does."""

from typing import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import MainPass, ReferringDataSample

from ..layers import check_joint_space


@MODELS.register_module()
class ImageTextContrastiveLoss(nn.Module):
    """Contrast of the images of a batch and its sentences (Radford et al., CLIP, ICML 2021), for any number an image.

    With z the scaled cosine of each sentence with each whole image, p a softmax of z over images, and q one over the
    sentence itself and those of other images, the loss is the mean over sentences of ``-(log p + log q) / 2`` at the
    sentence's own image. With one sentence an image it is CLIP's.

    The filter of masked words compares words with the whole image, so it needs a joint space in which these two are
    aligned. CLIP's pretraining aligns them; towers from scratch learn it by this loss. Sentences about other images are
    taken for wrong ones, also where they fit, as in CLIP's. It sees the batch of its own process alone.

    Args:
        scale (float): Factor of the cosine, positive. Defaults to 1 / 0.07, where CLIP's own training starts.
        loss_weight (float): Factor of the loss. Defaults to 1.0.

    Raises:
        ValueError: If ``scale`` is not positive.
    """

    def __init__(self, *, scale: float = 1 / 0.07, loss_weight: float = 1.0) -> None:
        super().__init__()
        if scale <= 0:
            raise ValueError(f'scale of ImageTextContrastiveLoss must be positive, but got {scale}.')
        self.scale = scale
        self.loss_weight = loss_weight

    def forward(self, main: MainPass, data_samples: Sequence[ReferringDataSample]) -> Tensor:
        """Compute the weighted loss.

        Args:
            main (MainPass): What the main branch computed.
            data_samples (Sequence[ReferringDataSample]): B samples.

        Returns:
            Tensor: Scalar, 0 with a single image.

        Raises:
            ValueError: If the encoder has no joint space, or its image half sees the sentence.
        """
        images, sentences, own = main.encoded.image.image_global, main.encoded.text.sentence, main.encoded.image_index
        check_joint_space(type(self).__name__, images.size(1), sentences.size(1))
        if len(images) != len(data_samples):
            raise ValueError(
                f'ImageTextContrastiveLoss compares sentences with images of which they are not, but the encoder gave '
                f'{len(images)} rows for {len(data_samples)} images: its image half sees the sentence. Take an encoder '
                f'of two towers, such as CLIPEncoder.')
        cosine = F.normalize(sentences.float(), dim=1) @ F.normalize(images.float(), dim=1).T
        logits = self.scale * cosine
        right = logits.gather(1, own[:, None])[:, 0]
        # Another sentence of an image is not a wrong one.
        is_own = F.one_hot(own, len(images)).bool()
        others = logits.masked_fill(is_own, float('-inf')).logsumexp(dim=0)[own]
        wrong = (logits.logsumexp(dim=1) - right) + (right.logaddexp(others) - right)
        return self.loss_weight * wrong.mean() / 2
