"""One image with its expressions."""

from typing import Sequence

import torch
from mmseg.structures import SegDataSample
from torch import Tensor


class ReferringDataSample(SegDataSample):
    """One image and S expressions about it.

    Metainfo:
        img_id (int): The image's id in its annotation file.
        img_path (str): The image's file.
        ori_shape (tuple[int, int]): ``(H0, W0)``, the original image's height and width in pixels.
        img_shape (tuple[int, int]): ``(H, W)``, the input's height and width in pixels.
        affine (ndarray): ``(2, 3)`` float64, the map from original to input coordinates. Coordinates are
            continuous: the first pixel reaches from 0 to 1.
        image_box (tuple[float]): ``x0, y0, x1, y1`` of the rectangle that the image fills in the input.
        view_boxes (dict[str, tuple[float]]): The same of other views, by their names, where there are such.
        pixel_digests (dict[str, bytes]): By view what tells its pixels from others
            (:func:`mmris.images.digest.digest_pixels`), where a feature cache is to find them.
        text (list[str]): The S expressions.
        ref_ids, sent_ids (list[int]): Ids of the S expressions' objects and of the expressions themselves.
        protocol (str): The name of the protocol that ``probabilities`` were made by.
        resampling (str, optional): The way back that was taken instead of the protocol's.
        skills (list[list[str]]): What each expression needs (colour, place, ...), where the data set tells.
        vocabulary (Vocabulary, optional): The ids that the tokenizer can give. None: it does not say.

    Data fields:
        token_ids (Tensor): ``(S, L)`` int64, the tokenised expressions.
        token_mask (Tensor): ``(S, L)`` bool, True where there is a token.
        gt_original (Tensor): ``(S, H0, W0)`` bool, the masks that predictions are scored against.
        gt_ignored (Tensor): ``(S, H0, W0)`` bool, original pixels that the data set says to ignore. Absent if there
            are none.
        gt_input (Tensor): ``(S, H, W)``, the masks in the input's geometry, for training. uint8 from 0 to 255 when
            packed, a quarter of the bytes that workers send; float32 in [0, 1] after the data preprocessor.
        gt_existence (Tensor): ``(S,)`` bool, whether anything on the image fits each expression.
        instance_masks (Tensor): ``(K, H, W)`` bool, instances that a segmenter found, in the input's geometry, the
            most certain first.
        instance_iou (Tensor): ``(S, K)`` float32 in [0, 1], IoU of each expression's mask and each instance's, for
            training.
        probabilities (Tensor): ``(S, H0, W0)`` float32 in [0, 1], predictions. Whoever scores or draws them applies a
            threshold.
        probabilities_input (Tensor): ``(S, H, W)`` float32 in [0, 1], the same on the input's pixels, if the protocol
            scores there.
        existence (Tensor): ``(S,)`` float32 in [0, 1], how certain the existence head is that anything on the image
            fits. Absent if the model has no such head.
    """

    token_ids: Tensor
    token_mask: Tensor
    gt_original: Tensor
    gt_ignored: Tensor
    gt_input: Tensor
    gt_existence: Tensor
    instance_masks: Tensor
    instance_iou: Tensor
    probabilities: Tensor
    probabilities_input: Tensor
    existence: Tensor


def gather_input_masks(samples: Sequence[ReferringDataSample], asked_by: str) -> Tensor:
    """Line up the ground truth of a batch in the input's geometry.

    Args:
        samples (Sequence[ReferringDataSample]): B samples with ``gt_input (S, H, W)`` float32.
        asked_by (str): Who needs it, for the message.

    Returns:
        Tensor: ``(P, 1, H, W)`` float32.

    Raises:
        ValueError: If a sample has none.
    """
    if not all('gt_input' in sample for sample in samples):
        raise ValueError(f'{asked_by} needs the masks in the geometry of the input, gt_input, which a sample lacks: '
                         f'put gt_input into inputs.steps.pack.masks (the masks of PackReferringInputs).')
    return torch.cat([sample.gt_input for sample in samples]).unsqueeze(1)


def gather_existence(samples: Sequence[ReferringDataSample]) -> Tensor:
    """Line up which expressions of a batch have a target.

    Args:
        samples (Sequence[ReferringDataSample]): B samples with ``gt_existence (S,)`` bool.

    Returns:
        Tensor: ``(P,)`` bool.

    Raises:
        ValueError: If a sample has none.
    """
    if not all('gt_existence' in sample for sample in samples):
        raise ValueError('The existence head is trained on which expressions have a target, gt_existence, which a '
                         'sample lacks: LoadMasks makes it, so put LoadMasks into the training pipeline.')
    return torch.cat([sample.gt_existence for sample in samples])
