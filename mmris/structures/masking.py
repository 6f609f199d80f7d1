"""Batches that are masked at random."""

from dataclasses import dataclass

from torch import Tensor

from .inputs import ExpressionBatch, ImageInputs
from .tensor_structure import TensorStructure


@dataclass(frozen=True)
class MaskedImages(TensorStructure):
    """B images, blocks of which are hidden in one view.

    Attributes:
        images (ImageInputs): The images. The masked view has no digests.
        blocks (Tensor): ``(B, h, w)`` bool over the blocks of that view, true on hidden ones.
        view (str): The view's name.
    """

    images: ImageInputs
    blocks: Tensor
    view: str = 'main'


@dataclass(frozen=True)
class MaskedWords(TensorStructure):
    """P sentences, some words of which are masked.

    Attributes:
        expressions (ExpressionBatch): The sentences, with [MASK] or another token in place of some words.
        words (Tensor): ``(P, L)`` bool, true on words: on all tokens but special ones and padding.
        chosen (Tensor): ``(P, L)`` bool, true on chosen words, also on those that stay as they are.
        hidden (Tensor): ``(P, L)`` bool, true on words that a learned vector is to replace, whose ids stay; false
            throughout where [MASK] does it.
    """

    expressions: ExpressionBatch
    words: Tensor
    chosen: Tensor
    hidden: Tensor
