"""Models whose stages run as compiled code."""

from types import MethodType
from typing import Any, Callable

import torch
from torch import Tensor, nn

from mmris.structures import TensorStructure

from .referring_segmentor import ReferringSegmentor

# Sentences are embedded by Python: that checks their values.
ENCODER_STEPS = ('embed_image', 'encode_image', 'encode_text', 'join')


def compile_stages(model: ReferringSegmentor, **options: Any) -> None:
    """Compile each stage of a model by ``torch.compile``: the encoder's halves and join, neck, decoder, heads.

    Names and values of weights stay, and so does all that is done with a model. Each stage is compiled when it is
    first run, which takes minutes for all of them. Numbers of images and sentences may change from call to call: a
    stage is compiled once more for a number of 1, and for training beside evaluation. Another size of images, or the
    first change of the number of tokens, compiles anew.

    Args:
        model (ReferringSegmentor): The model.
        **options: Of ``torch.compile``. Default: none.
    """
    for name in ENCODER_STEPS:
        _compile_method(model.encoder, name, options)
    own = [stage for branch in model.distillation.values() for stage in (branch.stages or ())]
    for stage in (*model.stages, model.existence, *own):
        if stage is not None and not isinstance(stage, nn.Identity):
            _compile_method(stage, 'forward', options)


def _compile_method(owner: nn.Module, name: str, options: dict) -> None:
    """Put compiled code in the place of a method that takes tensors and structures of them."""
    # Bound to its owner, so that a copy of the owner runs with weights of its own.
    setattr(owner, name, MethodType(_with_free_rows(torch.compile(getattr(type(owner), name), **options)), owner))


def _with_free_rows(compiled: Callable) -> Callable:

    def run(owner: nn.Module, *inputs: Any) -> Any:
        for value in inputs:
            tensors = value.named_tensors().values() if isinstance(value, TensorStructure) else (value, )
            for tensor in tensors:
                if isinstance(tensor, Tensor) and tensor.dim() > 0:
                    torch._dynamo.maybe_mark_dynamic(tensor, 0)
        return compiled(owner, *inputs)

    return run
