"""EVF-SAM's encoder: a segmenter's image tower beside an encoder that reads image and sentence."""

from dataclasses import dataclass, replace
from typing import Dict, Optional, Tuple

import torch
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageInputs,
    ImageView,
    SharedRows,
    TensorStructure,
    TextEmbeddings,
)

from .base import Encoder, ImagePart


@dataclass(frozen=True)
class PromptedImages(TensorStructure):
    """M images: the image state of :class:`EVFSAMEncoder`.

    Attributes:
        seen (TensorStructure): The image state of the encoder that reads the sentence.
        maps (SharedRows): The segmenter's maps ``(B, C_i, h_i, w_i)``, from shallow to deep.
        region (Tensor): ``(M, 4)`` float32, see :attr:`ImageEmbeddings.region`.
    """

    seen: TensorStructure
    maps: SharedRows
    region: Tensor


@MODELS.register_module()
class EVFSAMEncoder(Encoder):
    """Two looks at an image (Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted SAM, 2024).

    A segmenter's tower sees the main view, at high resolution and without the sentence; a joint encoder sees a small
    view of it together with the sentence. The tower's maps are computed once an image, neither for a sentence nor for a
    replay again. Embeddings, mask tokens, patches, words and the joint space are those of the joint encoder.

    Args:
        segmenter (dict): Config of a tower that turns the main view's pixels into a tuple of maps, from shallow to
            deep, such as :class:`~mmris.models.encoders.SAMTower` or :class:`~mmris.models.encoders.SAM2Tower`. It
            has ``pretrained_parts`` and ``load_pretrained``, as an :class:`Encoder`.
        joint (dict): Config of the :class:`Encoder` that reads the sentence, such as
            :class:`~mmris.models.encoders.BEiT3Encoder`.
        view (str): Name of the view that ``joint`` looks at, one of ``inputs.views``. Default: ``'joint'``.
        activation_checkpointing (bool): Passed on to both if set. Default: False, as their own configs say.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``joint`` takes instance masks in, which lie in the main view.
    """

    towers = ('segmenter', )

    def __init__(self,
                 *,
                 segmenter: dict,
                 joint: dict,
                 view: str = 'joint',
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        checkpointing = dict(activation_checkpointing=True) if activation_checkpointing else {}
        self.view = view
        self.segmenter = MODELS.build({**segmenter, **checkpointing})
        self.joint = MODELS.build({**joint, **checkpointing})
        if self.joint.takes_instances:
            raise ValueError(f'joint of EVFSAMEncoder looks at the view {view!r}, but instance masks lie in the main '
                             f'view: take an encoder without them, not {type(self.joint).__name__}.')
        self.cell_channels = self.joint.cell_channels
        self.word_channels = self.joint.word_channels

    @property
    def sentence_view(self) -> str:
        """str: The view that ``joint`` looks at."""
        return self.view

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: Those of ``segmenter`` and of ``joint``, under their names."""
        parts = dict(segmenter=self.segmenter, joint=self.joint)
        return tuple(f'{name}.{one}' for name, part in parts.items() for one in part.pretrained_parts)

    @property
    def image_parts(self) -> Dict[str, ImagePart]:
        """dict[str, ImagePart]: The segmenter's tower, and parts that ``joint`` has."""
        parts = {f'joint.{name}': replace(part, view=self.view) for name, part in self.joint.image_parts.items()}
        return dict(segmenter=ImagePart(modules=('segmenter', )), **parts)

    def load_pretrained(self) -> None:
        """Load what the configs of ``segmenter`` and ``joint`` name, and raise their errors."""
        self.segmenter.load_pretrained()
        self.joint.load_pretrained()

    def init_weights(self) -> None:
        """Initialise; ``segmenter`` and ``joint`` load what their own configs name as they are initialised."""
        super(Encoder, self).init_weights()

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images.

        Raises:
            ValueError: If the images come without the view.
            ValueError: If the segmenter or the joint encoder cannot take a view of that height and width.
        """
        return self._add_maps(images, self.joint.embed_image(self._seen(images)))

    def embed_masked(self, images: ImageInputs, embeddings: ImageEmbeddings) -> ImageEmbeddings:
        seen = self.joint.embed_image(self._seen(images))
        return replace(seen, frozen=embeddings.frozen, region=embeddings.region)

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        return self.joint.embed_text(expressions)

    def encode_image(self, embeddings: ImageEmbeddings) -> PromptedImages:
        alone = replace(embeddings, frozen=None, region=None)
        return PromptedImages(
            seen=self.joint.encode_image(alone), maps=embeddings.frozen, region=embeddings.region)

    def encode_text(self, embeddings: TextEmbeddings) -> TensorStructure:
        return self.joint.encode_text(embeddings)

    def look_at_images(self, images: ImageInputs) -> Tuple[ImageEmbeddings, PromptedImages]:
        embeddings, seen = self.joint.look_at_images(self._seen(images))
        embeddings = self._add_maps(images, embeddings)
        return embeddings, PromptedImages(seen=seen, maps=embeddings.frozen, region=embeddings.region)

    def _seen(self, images: ImageInputs) -> ImageInputs:
        """What ``joint`` looks at."""
        view = images.view(self.view)
        return ImageInputs(pixels=view.pixels, box=view.box, digests=view.digests)

    def _add_maps(self, images: ImageInputs, embeddings: ImageEmbeddings) -> ImageEmbeddings:
        """Add to embeddings by ``joint`` what the segmenter's tower makes of the images."""
        pixels = images.pixels
        maps = self.run_part(
            'segmenter', images.digests,
            lambda rows: self.segmenter(pixels if rows is None else pixels.index_select(0, rows)))
        return replace(
            embeddings,
            frozen=SharedRows.of(maps, pixels.size(0), pixels.device),
            region=region_of_view(images.box, images.view(self.view)))

    def join(self, image: PromptedImages, text: TensorStructure, image_index: Tensor) -> EncoderOutput:
        return replace(
            self.joint.join(image.seen, text, image_index),
            maps=image.maps.select(image_index),
            region=image.region.index_select(0, image_index))


def region_of_view(box: Tensor, view: ImageView) -> Tensor:
    """Find which rectangle of the main view another view covers.

    Args:
        box (Tensor): ``(B, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that the image fills in the main view.
        view (ImageView): The other view.

    Returns:
        Tensor: ``(B, 4)`` float32, ``x0, y0, x1, y1`` in pixels of the main view. It may reach beyond the main view.
    """
    (low, high), (seen_low, seen_high) = box.split(2, dim=1), view.box.split(2, dim=1)
    scale = (high - low) / (seen_high - seen_low)
    size = torch.tensor(view.pixels.shape[:-3:-1], dtype=box.dtype, device=box.device)
    return torch.cat((low - scale * seen_low, low + scale * (size - seen_low)), dim=1)
