"""Models whose stages run as compiled code."""

from types import MethodType
from typing import Any

import torch
from torch import nn

from .referring_segmentor import ReferringSegmentor

# What an encoder does between embeddings and features. Embedding checks values, which stays Python's.
ENCODER_STEPS = ('encode_image', 'encode_text', 'join')


def compile_stages(model: ReferringSegmentor, **options: Any) -> None:
    """Compile each stage of a model by ``torch.compile``: the encoder's two halves and their join, neck, decoder, heads.

    Names and values of weights stay, and so does all that is done with a model. Each stage is compiled when it is
    first run, which takes a minute or more for all of them. Numbers of images, sentences and tokens may change from
    call to call; PyTorch compiles a stage anew where one of them is 1, and for training beside evaluation.

    Args:
        model (ReferringSegmentor): The model.
        **options: Of ``torch.compile``. Default: ``dynamic=True``.
    """
    options = {'dynamic': True, **options}
    encoder = model.encoder
    for name in ENCODER_STEPS:
        # A bound method of the compiled function: a copy of the encoder has one of its own.
        setattr(encoder, name, MethodType(torch.compile(getattr(type(encoder), name), **options), encoder))
    own = [stage for branch in model.distillation.values() for stage in (getattr(branch, 'stages', None) or ())]
    for stage in (*model.stages, model.existence, *own):
        if stage is not None and not isinstance(stage, nn.Identity):
            stage.compile(**options)
