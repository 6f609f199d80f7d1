"""What a model costs: parameters and multiply-adds of its stages."""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmris.structures import ExpressionBatch, ImageInputs

from .input_sizes import InputSizes

# As they follow on the encoder, and as the attributes of the model are called.
STAGES = ('neck', 'decoder', 'head')


def count_complexity(model: nn.Module,
                     *,
                     shape: Sequence[int],
                     tokens: int,
                     instances: int = 0,
                     views: Optional[Mapping[str, Sequence[int]]] = None) -> Dict[str, Dict[str, Any]]:
    """Count what each stage of a model costs in evaluation, for one image and one expression.

    Multiply-adds are those of convolutions, linear maps and products of matrices, those of attention among them.
    Norms, activations, sums and interpolations are not counted. Nothing is computed: the model has shapes alone.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor` built on the meta device. It is put
            into evaluation mode.
        shape (Sequence[int]): Height and width of the input in pixels.
        tokens (int): Tokens of the expression, none of them padding.
        instances (int): Instance masks of the image, for models that they enter. Defaults to 0.
        views (Mapping[str, Sequence[int]], optional): Height and width of views other than the main one, by their
            names. Default: None, there are no others.

    Returns:
        dict[str, dict]: ``encoder``, ``neck``, ``decoder``, ``head`` and their sum, ``total``: each with ``params``,
        a number of parameters, ``trained``, how many of them are not frozen, and ``flops``, a number of
        multiply-adds. The encoder's has also ``image``, ``text`` and ``join``, each with the ``flops`` of that part:
        all that needs no sentence, all that needs no image, and the rest. The total's has also ``image`` and
        ``sentence``, each with ``flops``, which add up to it: what is computed once an image, and what for each
        expression about it, so that S expressions of one image cost ``image`` plus S times ``sentence``. Some necks and
        heads do a part once an image, too. ``distillation`` with ``params`` and ``trained``, where the model has any,
        is in training only, so in no sum.

    Raises:
        ValueError: If ``shape`` or ``tokens`` is not positive, or the model is on another device.
        ValueError: If ``instances`` is negative, or not 0 for a model that takes none.
        ValueError: If the encoder cannot take an image of that shape, or so many tokens.
    """
    check_countable(model, shape, tokens, instances)
    model.eval()
    with torch.device('meta'), torch.no_grad():
        sizes = InputSizes(tuple(shape), tokens, dict(views or {}), instances)
        images = sizes.image(model.encoder)
        flops = _count_stages(model, images, sizes.expressions(1))
        sentence = sum(_count_stages(model, images, sizes.expressions(2)).values()) - sum(flops.values())
    parts = {name: dict(flops=flops[name]) for name in ('image', 'text', 'join')}
    costs = dict(encoder=dict(**_parameters(model.encoder), flops=sum(flops[name] for name in parts), **parts))
    for name in STAGES:
        costs[name] = dict(**_parameters(getattr(model, name)), flops=flops[name])
    costs['total'] = {key: sum(cost[key] for cost in costs.values()) for key in ('params', 'trained', 'flops')}
    costs['total'].update(image=dict(flops=costs['total']['flops'] - sentence), sentence=dict(flops=sentence))
    if model.distillation:
        costs['distillation'] = _parameters(model.distillation)
    return costs


def check_countable(model: nn.Module, shape: Sequence[int], tokens: int, instances: int) -> None:
    """Check that a model's multiply-adds can be counted for inputs of that size.

    Args:
        model, shape, tokens, instances: See :func:`count_complexity`.

    Raises:
        ValueError: If one of them is not as it must be; the message says which and how.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f'shape must be a height and a width of at least 1 pixel, but got {tuple(shape)}.')
    if tokens < 1:
        raise ValueError(f'tokens must be at least 1, but got {tokens}.')
    if instances < 0:
        raise ValueError(f'instances must not be negative, but got {instances}.')
    if instances and not model.encoder.takes_instances:
        raise ValueError(f'The encoder, {type(model.encoder).__name__}, takes no instance masks: leave instances at 0.')
    devices = {parameter.device.type for parameter in model.parameters()}
    if devices != {'meta'}:
        # Elsewhere attention runs in fused operators, which torch does not count on every device.
        raise ValueError(
            f'The model must be on the meta device alone, but has parameters on {", ".join(sorted(devices))}: build it '
            f'inside of torch.device(\'meta\').')


def bound_together(flops: Mapping[str, int], sentences: int) -> float:
    """How many times as fast sentences of an image can be together as one by one, by their multiply-adds.

    Args:
        flops (Mapping[str, int]): Multiply-adds once per ``image`` and once per ``sentence``.
        sentences (int): How many.
    """
    image, sentence = flops['image'], flops['sentence']
    return sentences * (image + sentence) / (image + sentences * sentence)


def _count_stages(model: nn.Module, images: ImageInputs, expressions: ExpressionBatch) -> Dict[str, int]:
    """Multiply-adds of the encoder's three parts, and of what follows it, for expressions about one image."""
    encoder, flops = model.encoder, {}
    image, flops['image'] = _count(lambda: encoder.encode_image(encoder.embed_image(images)))
    text, flops['text'] = _count(lambda: encoder.encode_text(encoder.embed_text(expressions)))
    features, flops['join'] = _count(encoder.join, image, text, expressions.image_index)
    for name in STAGES:
        features, flops[name] = _count(getattr(model, name), features)
    return flops


def _count(function: Callable, *inputs: Any) -> Tuple[Any, int]:
    """What a function returns, and its multiply-adds."""
    with FlopCounterMode(display=False) as counter:
        result = function(*inputs)
    # torch counts a multiply-add as two.
    return result, counter.get_total_flops() // 2


def _parameters(module: nn.Module) -> Dict[str, int]:
    parameters = list(module.parameters())
    return dict(
        params=sum(parameter.numel() for parameter in parameters),
        trained=sum(parameter.numel() for parameter in parameters if parameter.requires_grad))
