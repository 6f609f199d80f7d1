"""What a model's distillation branches mask, for one image and a sentence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmris.images import GivenImage
from mmris.prediction import Prediction
from mmris.prediction.sentences import read_sentence
from mmris.structures import Answer, BranchView, ExpressionBatch, ImageInputs, MainPass, MaskedTokens, ReferringInputs

from .encoded_image import EncodedImage
from .predictor import Predictor


@dataclass(frozen=True)
class MaskedPatches:
    """What a branch masks of an image, on the original pixels.

    Attributes:
        candidates (ndarray): ``(H0, W0)`` bool, pixels whose patch could be masked.
        masked (ndarray): ``(H0, W0)`` bool, pixels whose patch is.
        selected (ndarray, optional): ``(H0, W0)`` bool, pixels whose patch the filter selected. None: no filter.
        ratings (ndarray, optional): ``(H0, W0)`` float32, what the filter selected by.
    """

    candidates: np.ndarray
    masked: np.ndarray
    selected: Optional[np.ndarray]
    ratings: Optional[np.ndarray]


@dataclass(frozen=True)
class MaskedWord:
    """What a branch does with a token of a sentence.

    Attributes:
        text (str): The token as the tokenizer decodes it: a word, or a part of one.
        masked (bool): Whether it is masked.
        selected (bool, optional): Whether the filter selected it. None: no filter.
        rating (float, optional): What the filter selected by.
    """

    text: str
    masked: bool
    selected: Optional[bool]
    rating: Optional[float]


@dataclass(frozen=True)
class BranchMasking:
    """One draw of a branch.

    Attributes:
        name (str): The branch's name in ``model.distillation``.
        prediction (Prediction): What the model predicts of the masked image and sentence.
        patches (MaskedPatches, optional): None if images stay whole.
        words (list[MaskedWord], optional): None if sentences stay whole.
    """

    name: str
    prediction: Prediction
    patches: Optional[MaskedPatches]
    words: Optional[List[MaskedWord]]


@dataclass(frozen=True)
class Masking:
    """What a model's branches mask for a sentence.

    Attributes:
        prediction (Prediction): Of the whole image and the whole sentence.
        branches (list[BranchMasking]): One draw of each branch.
    """

    prediction: Prediction
    branches: List[BranchMasking]


@dataclass(frozen=True, eq=False, repr=False)
class PreparedImage(EncodedImage):
    """An :class:`EncodedImage`, with what the model took.

    Attributes:
        inputs (ImageInputs): Of this image alone.
    """

    inputs: ImageInputs


class MaskingPredictor(Predictor):
    """A :class:`Predictor` that also shows what the model's distillation branches mask.

    ::

        predictor = MaskingPredictor('configs/cm_masksd/vit-tiny_shaperef.py', 'work_dirs/demo/best_mIoU_epoch_4.pth')
        predictor.set_image('photo.jpg')
        for branch in predictor.mask('the red circle').branches:
            print(branch.name, branch.patches, branch.words)

    The branches run as in training, but in evaluation mode.

    Args:
        config (str, Path or Config): As of :class:`Predictor`; a config with ``model.distillation``.
        checkpoint (str or Path, optional): As of :class:`Predictor`.
        **settings: As of :class:`Predictor`.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: As :class:`Predictor`.
        ValueError: If the model has no distillation branch, or the checkpoint no weights of one.
    """

    def __init__(self, config: Union[str, Path, Config], checkpoint: Optional[Union[str, Path]] = None,
                 **settings: Any) -> None:
        super().__init__(config, checkpoint, **settings)
        if not self.model.distillation:
            raise ValueError('The model has no branch that masks: its config sets no model.distillation. Choose a '
                             'config that does, such as configs/cm_masksd/vit-tiny_shaperef.py.')
        for name, branch in self.model.distillation.items():
            # A training draws them, so they are zero only where the checkpoint has none.
            if any(not parameter.any() for parameter in branch.parameters()):
                raise ValueError(f'The checkpoint has no weights of the branch {name!r}: published models leave them '
                                 f'out, since prediction does not need them. Give a checkpoint of a training.')

    @torch.inference_mode()
    def mask(self, sentence: str, *, image: Optional[EncodedImage] = None, seed: int = 0) -> Masking:
        """Predict for a sentence about an image, and let each branch mask it once.

        Args:
            sentence (str): The sentence.
            image (EncodedImage, optional): What :meth:`set_image` returned. Default: None, the image that this thread
                has set last.
            seed (int): Decides what is drawn. Default: 0.

        Returns:
            Masking: The prediction, and a draw of each branch.

        Raises:
            RuntimeError, ValueError: As :meth:`Predictor.predict`.
        """
        image, sentence = self._choose_image(image), read_sentence(sentence)
        ids, token_mask = self._tokenizer([sentence])
        expressions = ExpressionBatch(
            torch.as_tensor(ids), torch.as_tensor(token_mask), torch.zeros(1, dtype=torch.int64),
            self._tokenizer.vocabulary).to(self.model.data_preprocessor.device)
        main = self.model.main_pass(ReferringInputs(images=image.inputs, expressions=expressions))
        branches = []
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for name, branch in self.model.distillation.items():
                view = branch.view(main, self.model.encoder, self.model.stages)
                branches.append(self._describe(name, view, main, image, sentence))
        return Masking(self._predicted([sentence], Answer(main.logits, main.existence), image), branches)

    def _encode(self, given: Sequence[GivenImage]) -> List[EncodedImage]:
        encoded = super()._encode(given)
        return [
            PreparedImage(**vars(one), inputs=self._encoder.prepare(self.model, [image])[1])
            for one, image in zip(encoded, given)
        ]

    def _describe(self, name: str, view: BranchView, main: MainPass, image: EncodedImage,
                  sentence: str) -> BranchMasking:
        patches = words = None
        if view.patches is not None:
            patches = _on_original_pixels(view.patches, image, main.encoded.region)
        if view.words is not None:
            words = self._name_words(view.words, main.inputs.expressions)
        return BranchMasking(name, self._predicted([sentence], Answer(view.logits), image), patches, words)

    def _name_words(self, words: MaskedTokens, expressions: ExpressionBatch) -> List[MaskedWord]:
        ids = expressions.token_ids[0].cpu().numpy()
        return [
            MaskedWord(
                text=self._tokenizer.decode_token(int(ids[place])),
                masked=bool(words.masked[0, place]),
                selected=None if words.selected is None else bool(words.selected[0, place]),
                rating=None if words.ratings is None else float(words.ratings[0, place]))
            for place in words.candidates[0].nonzero().flatten().tolist()
        ]


def _on_original_pixels(patches: MaskedTokens, image: EncodedImage, region: Optional[Tensor]) -> MaskedPatches:
    cells = cells_of_pixels(tuple(patches.masked.shape[1:]), image, None if region is None else region[0].tolist())
    inside = cells >= 0

    def spread(values: Optional[Tensor]) -> Optional[np.ndarray]:
        if values is None:
            return None
        spread_values = values[0].flatten().cpu().numpy()[cells]
        return spread_values & inside if spread_values.dtype == bool else spread_values

    return MaskedPatches(*map(spread, (patches.candidates, patches.masked, patches.selected, patches.ratings)))


def cells_of_pixels(grid: Tuple[int, int], image: EncodedImage, region: Optional[Sequence[float]]) -> np.ndarray:
    """Find the cell of the input that each original pixel lies in.

    Args:
        grid (tuple[int, int]): ``(h, w)``, the number of cells.
        image (EncodedImage): The image.
        region (Sequence[float], optional): ``x0, y0, x1, y1`` of the rectangle of the input that the cells cover.
            None means all of it.

    Returns:
        ndarray: ``(H0, W0)`` int64, the number of the cell, row by row; -1 for a pixel in none.
    """
    height, width = image.input_size
    x0, y0, x1, y1 = (0, 0, width, height) if region is None else region
    scale_x, scale_y = image.affine[0, 0], image.affine[1, 1]
    columns = np.floor((scale_x * (np.arange(image.size[1]) + 0.5) + image.affine[0, 2] - x0) / (x1 - x0) * grid[1])
    rows = np.floor((scale_y * (np.arange(image.size[0]) + 0.5) + image.affine[1, 2] - y0) / (y1 - y0) * grid[0])
    inside = ((rows >= 0) & (rows < grid[0]))[:, None] & ((columns >= 0) & (columns < grid[1]))
    return np.where(inside, rows[:, None] * grid[1] + columns, -1).astype(np.int64)
