"""LAVT's encoder: Swin, between whose stages the words enter."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageFeatures,
    ImageInputs,
    TensorStructure,
    TextEmbeddings,
    TextFeatures,
)

from ..layers import PixelWordAttention, mean_inside, patch_grid, patches_inside
from .base import Encoder, ImagePart
from .towers import BERTTextTower, PaddedSwin


@dataclass(frozen=True)
class FirstStage(TensorStructure):
    """Images behind the blocks of Swin's first stage, where the sentence enters.

    Attributes:
        cells (Tensor): ``(M, C, 8 h, 8 w)`` with four stages, C the first one's width.
        inside (Tensor): ``(M, h, w)`` bool, false on patches that lie wholly in the letterbox border.
    """

    cells: Tensor
    inside: Tensor


@MODELS.register_module()
class LAVTEncoder(Encoder):
    """Swin and BERT, with attention of pixels on words behind each of Swin's stages (Yang et al., LAVT, CVPR 2022).

    With x the pixels behind the blocks of a stage, l the words, :class:`PixelWordAttention` by the published code's
    GELU, and W two 1x1 convolutions without biases::

        F = PixelWordAttention(x, l)
        next stage: x + tanh(W2 relu(W1 F)) * F
        given on:   LayerNorm(F)

    Behind the last stage there is no gate, since nothing follows. All up to the blocks of the first stage runs once an
    image, however many expressions it has, and so do the two maps of its pixels that the first attention takes.

    Image and sentence have no space in common. Branches of masked distillation need one: ``joint_map``.

    Args:
        image (dict): Config of a :class:`PaddedSwin`.
        text (dict): Config of a :class:`BERTTextTower`.
        joint_map (bool): Whether a learned linear map takes the last stage to the width of the words. Mapped, it is the
            last stage given on, so that the map learns with all that follows. Default: False, the last stage itself.
        activation_checkpointing (bool): Keep no activations inside the blocks of both towers, and compute them again in
            the backward pass: less memory, more time, the same gradients. Where this is False, each tower's own config
            decides. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``image`` is no :class:`PaddedSwin`, or ``text`` no :class:`BERTTextTower`.
    """

    def __init__(self,
                 *,
                 image: dict,
                 text: dict,
                 joint_map: bool = False,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        checkpointing = dict(activation_checkpointing=True) if activation_checkpointing else {}
        self.image = _build_tower('image', image, PaddedSwin, checkpointing)
        self.text = _build_tower('text', text, BERTTextTower, checkpointing)
        self.cell_channels, self.word_channels = self.image.cell_channels, self.text.word_channels
        channels = self.image.channels
        self.attentions = nn.ModuleList(
            PixelWordAttention(width, width, word_channels=self.word_channels, activation='gelu')
            for width in channels)
        self.gates = nn.ModuleList(_build_gate(width) for width in channels[:-1])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in channels)
        self.joint_map = nn.Linear(channels[-1], self.word_channels, bias=False) if joint_map else nn.Identity()

    @property
    def image_parts(self) -> Dict[str, ImagePart]:
        """dict[str, ImagePart]: The blocks of Swin's first stage, and what comes before them."""
        return dict(image=ImagePart(modules=('image.patch_embed', 'image.layers.0.blocks')))

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: Such parts of both towers."""
        return tuple(f'{name}.{part}' for name in ('image', 'text')
                     for part in getattr(self, name).pretrained_parts)

    def load_pretrained(self) -> None:
        """Load into each tower what its config names.

        Raises:
            FileNotFoundError, ValueError: If a file is missing or cannot be read.
            RuntimeError: If it holds another architecture.
        """
        self.image.load_pretrained()
        self.text.load_pretrained()

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images.

        Raises:
            ValueError: If height or width is no multiple of Swin's stride, or the last stage has a single cell.
        """
        size, stride = tuple(images.pixels.shape[-2:]), self.image.stride
        grid = patch_grid(size, stride)
        if grid == (1, 1):
            raise ValueError(
                f'The input is {size[0]} x {size[1]} pixels (height x width), which leaves the last stage of Swin one '
                f'cell, but LAVT\'s norms over cells need two or more. Set inputs.views.main.size in the config to '
                f'{2 * stride[0]} or more.')
        inside = patches_inside(images.box, grid, size)
        return ImageEmbeddings(cells=self.image.stem(images.pixels), inside=inside)

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        return self.text.embed(expressions)

    def encode_image(self, embeddings: ImageEmbeddings) -> FirstStage:
        return FirstStage(cells=self.image.run_stage(0, embeddings.cells), inside=embeddings.inside)

    def encode_text(self, embeddings: TextEmbeddings) -> TextFeatures:
        return self.text.encode(embeddings)

    def join(self, image: FirstStage, text: TextFeatures, image_index: Tensor) -> EncoderOutput:
        own_index = torch.arange(image_index.size(0), device=image_index.device)
        *stages, last = self._run_stages(image.cells, text, image_index, own_index)
        last = self.joint_map(last.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        patches = last.flatten(2).transpose(1, 2)
        features = ImageFeatures(
            stages=(*stages, last),
            patches=patches,
            image_global=mean_inside(patches, image.inside.index_select(0, image_index)))
        return EncoderOutput(image=features, text=text, image_index=own_index)

    def _run_stages(self, cells: Tensor, text: TextFeatures, image_index: Tensor, own_index: Tensor) -> List[Tensor]:
        """Run all behind the blocks of the first stage.

        Returns:
            list[Tensor]: What each stage gives on, ``(P, C_i, h_i, w_i)``.
        """
        given, depth = [], len(self.attentions)
        for index, (attention, norm) in enumerate(zip(self.attentions, self.norms)):
            found = attention(cells, text.words, text.token_mask, image_index)
            given.append(norm(found.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            if index + 1 < depth:
                cells = cells.index_select(0, image_index) + self.gates[index](found) * found
                cells = self.image.run_stage(index + 1, self.image.merge(index, cells))
                image_index = own_index
        return given


def _build_tower(option: str, config: dict, kind: type, options: Dict[str, Any]) -> nn.Module:
    name = config.get('type')
    found = MODELS.get(name) if isinstance(name, str) else name
    if not isinstance(found, type) or not issubclass(found, kind):
        raise ValueError(f'{option} of LAVTEncoder must be a {kind.__name__}, but has the type {name!r}.')
    return MODELS.build({**config, **options})


def _build_gate(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False), nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False), nn.Tanh())
