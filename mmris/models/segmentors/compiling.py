"""Models whose stages run as compiled code."""

from types import MethodType
from typing import Any, Callable

import torch
from torch import Tensor, nn

from mmris.structures import TensorStructure

from ..encoders import Encoder
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
    encoders = [module for module in model.encoder.modules() if isinstance(module, Encoder)]
    for encoder in encoders:
        for name in ENCODER_STEPS:
            _compile_method(encoder, name, options)
    towers = [encoder.get_submodule(name) for encoder in encoders for name in encoder.towers]
    own = [stage for branch in model.distillation.values() for stage in (branch.stages or ())]
    for stage in (*towers, *model.stages, model.existence, *own):
        if stage is not None and not isinstance(stage, nn.Identity):
            _compile_method(stage, 'forward', options)


def _compile_method(owner: nn.Module, name: str, options: dict) -> None:
    """Put compiled code in the place of a method that takes tensors and structures of them."""
    # Bound to its owner, so that a copy of the owner runs with weights of its own.
    plain = getattr(type(owner), name)
    setattr(owner, name, MethodType(_with_free_rows(plain, torch.compile(plain, **options)), owner))


def _with_free_rows(plain: Callable, compiled: Callable) -> Callable:

    def run(owner: nn.Module, *inputs: Any) -> Any:
        if torch.compiler.is_compiling():
            # A part of what is compiled already.
            return plain(owner, *inputs)
        for value in inputs:
            tensors = value.named_tensors().values() if isinstance(value, TensorStructure) else (value, )
            for tensor in tensors:
                if isinstance(tensor, Tensor) and tensor.dim() > 0:
                    torch._dynamo.maybe_mark_dynamic(tensor, 0)
        return compiled(owner, *inputs)

    return run
