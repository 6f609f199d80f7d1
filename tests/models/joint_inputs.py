"""What tests of encoders of one sequence share: sentences, the way through an encoder, what it keeps."""

from typing import Callable, Tuple

import torch

from mmris.models.encoders.joint import JointEncoder
from mmris.structures import EncoderOutput, ExpressionBatch, ImageInputs

VOCABULARY = 90


def expressions(lengths: list, image_index: list, total: int = 9) -> ExpressionBatch:
    """Random words, so many of each sentence."""
    token_mask = torch.arange(total) < torch.tensor(lengths)[:, None]
    ids = torch.randint(0, VOCABULARY, token_mask.shape, generator=torch.Generator().manual_seed(2))
    return ExpressionBatch(ids, token_mask, torch.tensor(image_index))


def encode(encoder: JointEncoder, given: ImageInputs, text: ExpressionBatch) -> EncoderOutput:
    image = encoder.encode_image(encoder.embed_image(given))
    return encoder.join(image, encoder.encode_text(encoder.embed_text(text)), text.image_index)


def numbers_kept(function: Callable, *inputs: object) -> Tuple[object, int]:
    """What a function returns, and how many numbers are kept for its gradients."""
    sizes = []

    def note(saved: torch.Tensor) -> torch.Tensor:
        sizes.append(saved.numel())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        result = function(*inputs)
    return result, sum(sizes)
