"""What enters a model."""

from dataclasses import dataclass, field, replace
from typing import Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmris.tokenizers.vocabulary import Vocabulary

from .tensor_structure import TensorStructure


@dataclass(frozen=True)
class ExpressionBatch(TensorStructure):
    """P expressions about B images.

    Attributes:
        token_ids (Tensor): ``(P, L)`` int64. A row is a start token, the words' tokens, an end token, then padding.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens (start and end token included), false on padding.
        image_index (Tensor): ``(P,)`` int64, the image (0 to B - 1) that each expression is about.
        vocabulary (Vocabulary, optional): The ids that the tokenizer can give, for what masks words. None: unknown.
    """

    token_ids: Tensor
    token_mask: Tensor
    image_index: Tensor
    vocabulary: Optional[Vocabulary] = None

    def __len__(self) -> int:
        return self.token_ids.size(0)


@dataclass(frozen=True)
class InstanceMasks(TensorStructure):
    """Masks of the instances that a segmenter found on B images, as many as K on each.

    Attributes:
        masks (Tensor): ``(B, K, H, W)`` bool, in the input's geometry; false throughout where there is no instance.
        present (Tensor): ``(B, K)`` bool, true where there is an instance; those of an image come first.
    """

    masks: Tensor
    present: Tensor


@dataclass(frozen=True)
class PixelDigests(TensorStructure):
    """What tells B inputs from others, so that what was computed of one can be found again.

    Attributes:
        values (tuple[bytes]): A digest of each image's pixels before normalisation (:mod:`mmris.images.digest`).
    """

    values: Tuple[bytes, ...]

    def select(self, rows: Tensor) -> 'PixelDigests':
        """Return those of some images."""
        return PixelDigests(tuple(self.values[row] for row in rows.tolist()))

    @staticmethod
    def concatenate(structures: Sequence['PixelDigests']) -> 'PixelDigests':
        """Return those of several batches as one."""
        return PixelDigests(tuple(value for structure in structures for value in structure.values))


@dataclass(frozen=True)
class ImageView(TensorStructure):
    """B images as another part of a model sees them than the one that defines the output grid.

    Attributes:
        pixels (Tensor): ``(B, 3, H, W)`` float32, RGB normalised by the view's own statistics.
        box (Tensor): ``(B, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that the image fills, in pixels of the
            view.
        digests (PixelDigests, optional): Of the view. None: none were computed.
    """

    pixels: Tensor
    box: Tensor
    digests: Optional[PixelDigests] = None


@dataclass(frozen=True)
class ImageInputs(TensorStructure):
    """B images: the main view, which the output grid and the way back belong to, and others by name.

    Attributes:
        pixels (Tensor): ``(B, 3, H, W)`` float32, normalised RGB.
        box (Tensor): ``(B, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that the image fills, in input pixels;
            what lies outside is letterbox border.
        instances (InstanceMasks, optional): What was found on them. None: nobody looked.
        views (dict[str, ImageView]): The other views. Encoders ask for them by name (:meth:`view`).
        digests (PixelDigests, optional): Of the main view, for a feature cache. None: none were computed.
    """

    pixels: Tensor
    box: Tensor
    instances: Optional[InstanceMasks] = None
    views: Dict[str, ImageView] = field(default_factory=dict)
    digests: Optional[PixelDigests] = None

    def view(self, name: str) -> ImageView:
        """Find a view.

        Args:
            name (str): Its name.

        Returns:
            ImageView: The view.

        Raises:
            ValueError: If the images came without it.
        """
        if name not in self.views:
            raise ValueError(f'The model looks at a view {name!r} of its images, but they come with '
                             f'{", ".join(["main", *self.views])}: add inputs.views.{name} to the config.')
        return self.views[name]

    def pixels_of(self, name: str) -> Tensor:
        """The pixels of a view, ``(B, 3, H, W)``; ``'main'`` is the main one."""
        return self.pixels if name == 'main' else self.view(name).pixels

    def box_of(self, name: str) -> Tensor:
        """The rectangle that images fill in a view, ``(B, 4)``; ``'main'`` is the main one."""
        return self.box if name == 'main' else self.view(name).box

    def with_pixels(self, name: str, pixels: Tensor) -> 'ImageInputs':
        """Return the images with other pixels in a view, which loses its digests: they were those of its own pixels.

        Args:
            name (str): The view's name, ``'main'`` for the main one.
            pixels (Tensor): ``(B, 3, H, W)``, as large as those of the view.

        Raises:
            ValueError: If there is no such view.
        """
        if name == 'main':
            return replace(self, pixels=pixels, digests=None)
        changed = replace(self.view(name), pixels=pixels, digests=None)
        return replace(self, views={**self.views, name: changed})


@dataclass(frozen=True)
class ReferringInputs(TensorStructure):
    """A batch: B images with their P expressions.

    Attributes:
        images (ImageInputs): The images.
        expressions (ExpressionBatch): The expressions.
    """

    images: ImageInputs
    expressions: ExpressionBatch


def word_positions(token_mask: Tensor) -> Tensor:
    """Find the tokens that are words: real, and neither the start nor the end token.

    A sentence that was cut without its end token (``keep_end=False`` of a tokenizer) loses its last word here.

    Args:
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens.

    Returns:
        Tensor: ``(P, L)`` bool.
    """
    position = torch.arange(token_mask.size(1), device=token_mask.device)
    end = token_mask.sum(dim=1, keepdim=True) - 1
    return (position > 0) & (position < end)
