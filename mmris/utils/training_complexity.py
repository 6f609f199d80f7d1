"""What a training step costs: multiply-adds of the losses and of their gradients."""

import math
from typing import Any, Dict, List, Mapping, Optional, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmris.structures import ReferringDataSample, ReferringInputs

from .complexity import check_countable
from .input_sizes import InputSizes

# Of the images that masks are on; only interpolations depend on it, which are not counted.
_ORIGINAL = (480, 640)


def count_training(model: nn.Module,
                   *,
                   shape: Sequence[int],
                   tokens: int,
                   images: int,
                   sentences: int = 1,
                   instances: int = 0,
                   views: Optional[Mapping[str, Sequence[int]]] = None) -> Dict[str, int]:
    """Count what a training step of a model costs: all its losses, replays of distillation among them, and backward.

    What is counted is said in :func:`~mmris.utils.complexity.count_complexity`. Gradients that nothing needs are not
    computed, so not counted: those of frozen weights, and of what only frozen weights come before. What activation
    checkpointing computes again is not part of the cost either. The optimiser multiplies no matrices.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor` built on the meta device. It is put
            into training mode.
        shape (Sequence[int]): Height and width of the input in pixels.
        tokens (int): Tokens of an expression, none of them padding.
        images (int): Images of the batch. Models that normalise sentences over the batch take at least two
            expressions.
        sentences (int): Expressions about each image. Default: 1.
        instances (int): Instance masks of an image, for models that they enter. Default: 0.
        views (Mapping[str, Sequence[int]], optional): Height and width of views other than the main one, by their
            names. Default: None, there are no others.

    Returns:
        dict[str, int]: Multiply-adds of the batch: ``forward``, ``backward``, and their sum, ``total``.

    Raises:
        ValueError: If ``images`` or ``sentences`` is not positive.
        ValueError: If another argument is one that :func:`~mmris.utils.complexity.count_complexity` refuses.
        ValueError: If nothing is trained, or the model does not train on so few expressions.
    """
    for name, value in (('images', images), ('sentences', sentences)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, but got {value}.')
    check_countable(model, shape, tokens, instances)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError('All parameters of the model are frozen, so there is no training step to count.')
    model.train()
    sizes = InputSizes(tuple(shape), tokens, dict(views or {}), instances)
    mapping = {torch.ops.aten.convolution_backward: _convolution_backward}
    with torch.device('meta'):
        inputs = ReferringInputs(
            images=sizes.image(model.encoder, images), expressions=sizes.expressions(sentences, images))
        samples = _samples(model, sizes, images, sentences)
        with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
            losses = model.loss(inputs, samples)
            # torch counts a multiply-add as two.
            forward = counter.get_total_flops() // 2
            sum(value for name, value in losses.items() if 'loss' in name).backward()
        total = counter.get_total_flops() // 2
    return dict(forward=forward, backward=total - forward, total=total)


def _samples(model: nn.Module, sizes: InputSizes, images: int, sentences: int) -> List[ReferringDataSample]:
    """One sample an image, with all that a loss may ask for."""
    sample = ReferringDataSample(
        gt_input=torch.ones(sentences, *sizes.shape),
        gt_original=torch.ones(sentences, *_ORIGINAL, dtype=torch.bool),
        gt_existence=torch.ones(sentences, dtype=torch.bool),
        instance_masks=torch.ones(sizes.instances, *sizes.shape, dtype=torch.bool),
        instance_iou=torch.ones(sentences, sizes.instances))
    geometry = model.protocol.geometry
    affine = None if geometry is None else geometry.affine(_ORIGINAL, tuple(sizes.shape))
    sample.set_metainfo(dict(affine=affine, img_shape=tuple(sizes.shape), ori_shape=_ORIGINAL))
    return images * [sample]


def _convolution_backward(grad_shape: Sequence[int], input_shape: Sequence[int], weight_shape: Sequence[int],
                          _bias: Any, _stride: Any, _padding: Any, _dilation: Any, transposed: bool,
                          _output_padding: Any, _groups: int, output_mask: Sequence[bool], **_: Any) -> int:
    """Operations of a convolution's gradients. torch's own count is too large for convolutions in groups.

    Each of the two, of the input and of the weight, pairs the same numbers as the convolution itself.
    """
    places = input_shape if transposed else grad_shape
    once = 2 * places[0] * math.prod(places[2:]) * math.prod(weight_shape)
    return once * (bool(output_mask[0]) + bool(output_mask[1]))
