"""The contract of all encoders: embed, encode each modality as far as it goes alone, then join."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageInputs,
    PixelDigests,
    TensorStructure,
    TextEmbeddings,
)


@dataclass(frozen=True)
class ImagePart:
    """What an encoder computes of an image before any sentence enters, so that a feature cache can keep it.

    Attributes:
        modules (tuple[str]): Submodules of the encoder that compute it, by name.
        view (str): Name of the view that it looks at.
    """

    modules: Tuple[str, ...]
    view: str = 'main'


class Encoder(BaseModule):
    """Turns pixels and token ids into features, in steps that others can stop between.

    ::

        pixels    ─ embed_image ─► ImageEmbeddings ─ encode_image ─► image state ─┐
                                                                                 ├─ join ─► EncoderOutput
        token ids ─ embed_text  ─► TextEmbeddings  ─ encode_text  ─► text state ──┘

    *Embeddings* are content without position: whatever masks tokens replaces cells there, and knows no encoder by
    name. *States* are what an encoder can compute of one modality without seeing the other, so that an image is set
    once and asked many times: all of it for two towers, nothing but its place in the sequence for a joint transformer.
    ``join`` does the rest. :meth:`look_at_images` embeds and encodes images at once, and takes from a feature cache
    what that has.

    Args:
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        part_caches (dict[str, PartCache]): Caches of :attr:`image_parts` by their names. A segmentor with
            ``feature_cache`` adds them.
        takes_instances (bool): Whether the instance masks that come with images enter.
        sentence_view (str): Name of the view that sentence and image meet on, whose pixels masks of images hide.
        towers (tuple[str]): Names of submodules that work outside of the steps between embeddings and features.
        cell_channels (int): Width of ``ImageEmbeddings.cells``.
        word_channels (int): Width of ``TextEmbeddings.words``.
    """

    takes_instances: bool = False
    sentence_view: str = 'main'
    towers: Tuple[str, ...] = ()
    cell_channels: int
    word_channels: int

    def __init__(self, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.part_caches: Dict[str, Any] = {}

    @property
    def image_parts(self) -> Dict[str, ImagePart]:
        """dict[str, ImagePart]: What is computed of an image alone, by name; nothing by default.

        The part of a submodule that is an encoder itself has that one's name before its own (``'joint.image'``).
        """
        return {}

    @property
    def why_no_image_part(self) -> str:
        """str: Why there is none, for messages."""
        return 'the sentence enters before its first layer'

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: Dotted names of submodules and parameters that :meth:`load_pretrained` fills; none by default."""
        return ()

    def load_pretrained(self) -> None:
        """Load the published weights that the config names; nothing by default."""

    def init_weights(self) -> None:
        """Initialise, then :meth:`load_pretrained`, whose errors it raises."""
        super().init_weights()
        self.load_pretrained()

    @abstractmethod
    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images.

        Raises:
            ValueError: If the encoder cannot take an image of that height and width.
        """

    @abstractmethod
    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        """Embed P tokenised expressions.

        Raises:
            ValueError: If there are more tokens than positions, or ids beyond the vocabulary.
        """

    @abstractmethod
    def encode_image(self, embeddings: ImageEmbeddings) -> TensorStructure:
        """Encode images as far as that needs no sentence."""

    def look_at_images(self, images: ImageInputs) -> Tuple[ImageEmbeddings, TensorStructure]:
        """Embed B images, and encode them as far as that needs no sentence.

        Returns:
            tuple[ImageEmbeddings, TensorStructure]: What :meth:`embed_image` and :meth:`encode_image` give.

        Raises:
            ValueError: As :meth:`embed_image`.
        """
        embeddings = self.embed_image(images)
        # Embeddings are computed in any case: that is little of the work, and only masked replays need them.
        state = self.run_part(
            'image', images.digests,
            lambda rows: self.encode_image(embeddings if rows is None else embeddings.select(rows)))
        return embeddings, state

    def run_part(self, name: str, digests: Optional[PixelDigests], compute: Callable[[Optional[Tensor]], Any]) -> Any:
        """Compute a part, or take from its cache what that has, if it is one of :attr:`image_parts` that has a cache.

        Args:
            name (str): The part's name.
            digests (PixelDigests, optional): Of the view that it looks at. None: all is computed.
            compute (Callable): Computes it of some of the images, given by their rows; of all of them, given None.

        Returns:
            Any: What ``compute`` gives of all images.
        """
        cache = self.part_caches.get(name)
        return compute(None) if cache is None else cache.recall(self, digests, compute)

    @abstractmethod
    def encode_text(self, embeddings: TextEmbeddings) -> TensorStructure:
        """Encode sentences as far as that needs no image.

        States of sentences with fewer tokens are padded with zeros when they are joined with longer ones
        (:meth:`~mmris.structures.TensorStructure.concatenate`). So tokens are the second dimension of all tensors that
        have them, and what stands on padding changes nothing: the state has the mask.
        """

    @abstractmethod
    def join(self, image: TensorStructure, text: TensorStructure, image_index: Tensor) -> EncoderOutput:
        """Bring sentences and their images together.

        Args:
            image (TensorStructure): Image state of M rows.
            text (TensorStructure): Text state of P rows.
            image_index (Tensor): ``(P,)`` int64, the row of ``image`` that belongs to each sentence.
        """

    def embed_masked(self, images: ImageInputs, embeddings: ImageEmbeddings) -> ImageEmbeddings:
        """Embed images again whose :attr:`sentence_view` is masked.

        An encoder that looks at other views, too, takes over what it made of these instead of computing it again.

        Args:
            images (ImageInputs): The B masked images. That view has no digests, since no cache may keep what is made
                of it.
            embeddings (ImageEmbeddings): Of the same images without a mask.

        Raises:
            ValueError: As :meth:`embed_image`.
        """
        return self.embed_image(images)

    def replace_patches(self, embeddings: ImageEmbeddings, mask: Tensor, vector: Tensor) -> ImageEmbeddings:
        """Replace the content of some patches. Their position stays, since embeddings carry none.

        Args:
            embeddings (ImageEmbeddings): Of M images.
            mask (Tensor): ``(M, h, w)`` bool over the patches of the encoder's output, true where replaced. Where the
                embeddings lie on a finer grid, all the cells under a patch are replaced.
            vector (Tensor): ``(cell_channels,)``.

        Returns:
            ImageEmbeddings: The masked copy. ``vector`` is in its graph even when nothing is replaced.
        """
        height, width = embeddings.cells.shape[-2:]
        mask = mask.repeat_interleave(height // mask.size(1), dim=1).repeat_interleave(width // mask.size(2), dim=2)
        vector = vector.to(embeddings.cells.dtype).view(1, -1, 1, 1)
        cells = torch.where(mask.unsqueeze(1), vector, embeddings.cells)
        return replace(embeddings, cells=cells)

    def replace_words(self, embeddings: TextEmbeddings, mask: Tensor, vector: Tensor) -> TextEmbeddings:
        """Replace the content of some words. Their position stays, since embeddings carry none.

        Args:
            embeddings (TextEmbeddings): Of P sentences.
            mask (Tensor): ``(P, L)`` bool, true where replaced.
            vector (Tensor): ``(word_channels,)``.

        Returns:
            TextEmbeddings: The masked copy. ``vector`` is in its graph even when nothing is replaced.
        """
        vector = vector.to(embeddings.words.dtype)
        return TextEmbeddings(
            words=torch.where(mask.unsqueeze(-1), vector, embeddings.words), token_mask=embeddings.token_mask)
