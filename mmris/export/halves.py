"""A model as two modules that take and give tensors alone: what depends on the image, and what on sentences."""

from typing import List, Tuple

import torch
from torch import Tensor, nn

from mmris.runtime.predictor import input_names
from mmris.structures import ExpressionBatch, ImageInputs, TensorStructure

#: Before the name of each tensor of the image state, between the two graphs.
STATE = 'state.'


class ImageHalf(nn.Module):
    """From the pixels of one image to its state: :meth:`ReferringSegmentor.encode_images`.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`, without instance masks.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.views = ('main', *model.data_preprocessor.views)

    @property
    def input_names(self) -> List[str]:
        """list[str]: Names of the inputs, in the order of :meth:`forward`: ``pixels`` and ``box``, and of each other
        view ``pixels_<view>`` and ``box_<view>``."""
        return [name for view in self.views for name in input_names(view)]

    def forward(self, *inputs: Tensor) -> Tuple[Tensor, ...]:
        """Encode.

        Args:
            *inputs (Tensor): For each view ``(1, 3, H, W)`` float32, RGB of 0 to 255, and ``(1, 4)`` float32, ``x0,
                y0, x1, y1`` of the rectangle that the image fills.

        Returns:
            tuple[Tensor]: The state's tensors, see :meth:`encode`.
        """
        return tuple(self.encode(*inputs).named_tensors().values())

    def encode(self, *inputs: Tensor) -> TensorStructure:
        """Encode, and keep the structure of the state. Arguments are those of :meth:`forward`."""
        preprocessor = self.model.data_preprocessor
        views = {
            view: preprocessor.normalise(pixels, box, view)
            for view, pixels, box in zip(self.views, inputs[::2], inputs[1::2])
        }
        main = views.pop('main')
        return self.model.encode_images(ImageInputs(main.pixels, main.box, views=views))


class SentenceHalf(nn.Module):
    """From token ids, and the state of the image that they are about, to logits.

    It is the encoder's text half and all that follows: :meth:`ReferringSegmentor.encode_sentences` and
    :meth:`~ReferringSegmentor.segment`.

    Args:
        model (nn.Module): The same model.
        state (TensorStructure): A state of the image, for its structure.
    """

    def __init__(self, model: nn.Module, state: TensorStructure) -> None:
        super().__init__()
        self.model = model
        self.state = state.map(lambda tensor: tensor.to('meta'))

    @property
    def state_names(self) -> List[str]:
        """list[str]: Names of the state's tensors."""
        return [STATE + name for name in self.state.named_tensors()]

    @property
    def output_names(self) -> List[str]:
        """list[str]: Names of what :meth:`forward` returns."""
        return ['logits'] if self.model.existence is None else ['logits', 'existence']

    def forward(self, token_ids: Tensor, token_mask: Tensor, *state: Tensor) -> Tuple[Tensor, ...]:
        """Answer.

        Args:
            token_ids (Tensor): ``(P, L)`` int64.
            token_mask (Tensor): ``(P, L)`` bool.
            *state (Tensor): Tensors of one row, which :class:`ImageHalf` returned.

        Returns:
            tuple[Tensor]: ``(P, 1, h, w)`` float32 logits, and of a model with an existence head ``(P,)`` float32.
        """
        model = self.model
        # All sentences are about the one image.
        image_index = torch.zeros_like(token_ids[:, 0])
        expressions = ExpressionBatch(token_ids, token_mask, image_index)
        text = model.encoder.encode_text(model.encoder.embed_text(expressions))
        answer = model.answer(model.fuse(model.encoder.join(self.state.with_tensors(state), text, image_index)))
        found = (answer.logits, ) if answer.existence is None else (answer.logits, answer.existence)
        return tuple(tensor.float() for tensor in found)
