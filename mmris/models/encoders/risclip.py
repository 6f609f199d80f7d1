"""RISCLIP's encoder: CLIP's towers, with small trained parts in, between and behind them."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ImageEmbeddings,
    ImageFeatures,
    TensorStructure,
    TextEmbeddings,
    TextFeatures,
)

from .adapted_block import BlockAdapters, check_blocks, run_block
from .base import ImagePart
from .clip import CLIPEncoder
from .cross_modal import CrossModalExtraction, SharedSpaceExploitation
from .towers import CLIPVisionTransformer, at_end_token, patches_as_map, recompute


@dataclass(frozen=True)
class PartlyEncodedImages(TensorStructure):
    """Images on their way through the tower, or behind it.

    Attributes:
        tokens (Tensor): ``(M, 1 + N, C)``, class token and patches; behind the tower ``(M, 1 + N, D)``.
        stages (tuple[Tensor]): ``(M, C, h, w)``, of the taps passed.
        inside (Tensor): ``(M, h, w)`` bool, false on patches that lie wholly in the letterbox border.
    """

    tokens: Tensor
    stages: Tuple[Tensor, ...]
    inside: Tensor

    @property
    def mask(self) -> Tensor:
        """Tensor: ``(M, 1 + N)`` bool, the tokens that words may look at."""
        return F.pad(self.inside.flatten(1), (1, 0), value=True)


@dataclass(frozen=True)
class PartlyEncodedTexts(TensorStructure):
    """Sentences on their way through the tower.

    Attributes:
        words (Tensor): ``(P, L, C)``.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
    """

    words: Tensor
    token_mask: Tensor


@MODELS.register_module()
class RISCLIPEncoder(CLIPEncoder):
    """CLIP's ViT and text towers, adapted to referring segmentation (RISCLIP, Kim et al.).

    Each part can be left out, and changes nothing where it begins, so that a new encoder gives what CLIP does:

    - the value path: in the last block, patches take their own values in place of the attention (MaskCLIP);
    - adapters in every block of both towers, after the attention and after the MLP;
    - CFE before blocks of both towers, which exchanges what image and words see;
    - SKE modules behind both towers, in CLIP's joint space.

    The towers are meant to be frozen: ``frozen=['encoder.image', 'encoder.text']`` of the segmentor. Where one tower
    is deeper than the other, blocks go in groups, and CFE is counted by the shallower tower's. Blocks before the first
    CFE run once an image, however many expressions it has. No code of RISCLIP is published; what is a reconstruction
    is listed in configs/risclip/README.md.

    A stage is the blocks' output at a tap, the last one's too; the joint space is that after SKE.

    Args:
        adapter_ratio (float): Width inside the adapters to that of the tower. 0 for no adapters. Defaults to 0.5.
        cfe_blocks (str or Sequence[int]): Before which blocks, counted from 1, there is CFE: ``'all'``, or increasing
            numbers; none for no CFE. Defaults to ``'all'``.
        cfe_channels (int): Shared width of CFE, divisible by ``cfe_heads``. Defaults to 512.
        cfe_heads (int): Attention heads of CFE. Defaults to 8.
        ske_modules (int): Number of SKE modules. Defaults to 6.
        ske_heads (int): Attention heads of SKE, which divide the joint space's width. Defaults to 8.
        value_path (bool): Whether patches take the value path in the last block. Defaults to True.
        **options: Those of :class:`CLIPEncoder`, but for ``image``.

    Raises:
        ValueError: As of :class:`CLIPEncoder`.
        ValueError: If the image tower is no ViT, or the depth of neither tower divides that of the other.
        ValueError: If ``adapter_ratio`` or ``ske_modules`` is negative, or ``cfe_blocks`` are not increasing numbers
            of blocks.
        ValueError: If heads do not divide their width.
    """

    def __init__(self,
                 *,
                 adapter_ratio: float = 0.5,
                 cfe_blocks: Union[str, Sequence[int]] = 'all',
                 cfe_channels: int = 512,
                 cfe_heads: int = 8,
                 ske_modules: int = 6,
                 ske_heads: int = 8,
                 value_path: bool = True,
                 **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(self.image, CLIPVisionTransformer):
            raise ValueError(
                f'RISCLIPEncoder takes CLIP\'s own ViT as image tower, as of ViT-B-16, but got a '
                f'{type(self.image).__name__}: change architecture, and leave image out.')
        for name, value in (('adapter_ratio', adapter_ratio), ('ske_modules', ske_modules)):
            if value < 0:
                raise ValueError(f'{name} of RISCLIPEncoder must be 0 or more, but got {value}.')
        self.value_path = value_path
        image_depth, text_depth = len(self.image.blocks), len(self.text.blocks)
        depth = min(image_depth, text_depth)
        if image_depth % depth or text_depth % depth:
            raise ValueError(
                f'RISCLIPEncoder pairs the blocks of both towers, so that the number of one must be a multiple of the '
                f'other\'s, but {self.architecture!r} has {image_depth} and {text_depth}.')
        self.steps = (image_depth // depth, text_depth // depth)
        numbers = list(range(1, depth + 1)) if cfe_blocks == 'all' else check_blocks(
            "cfe_blocks of RISCLIPEncoder must be 'all' or", cfe_blocks, depth)
        # Groups of blocks that know nothing of the other modality, and all there are.
        self.apart, self.depth = (numbers[0] - 1 if numbers else depth), depth

        image_width, text_width = self.image.cell_channels, self.text.word_channels
        self.image_adapters = _build_adapters(image_depth, image_width, adapter_ratio)
        self.text_adapters = _build_adapters(text_depth, text_width, adapter_ratio)
        self.cfe = nn.ModuleDict({
            str(number): CrossModalExtraction(
                image_channels=image_width, word_channels=text_width, channels=cfe_channels, num_heads=cfe_heads)
            for number in numbers
        })
        joint_width = self.text.clip.text_projection.size(1)
        self.ske = nn.ModuleList(
            SharedSpaceExploitation(channels=joint_width, num_heads=ske_heads) for _ in range(ske_modules))

    @property
    def image_parts(self) -> Dict[str, ImagePart]:
        """dict[str, ImagePart]: The blocks before the first CFE with their adapters, if there are such blocks."""
        if not self.apart:
            return {}
        return dict(image=ImagePart(modules=('image', 'image_adapters') if len(self.image_adapters) else ('image', )))

    @property
    def why_no_image_part(self) -> str:
        """str: Why there is none, for messages."""
        return 'CFE (cfe_blocks) brings the sentence in before its first block'

    def encode_image(self, embeddings: ImageEmbeddings) -> PartlyEncodedImages:
        image = PartlyEncodedImages(tokens=self.image.add_positions(embeddings), stages=(), inside=embeddings.inside)
        for number in range(1, self.apart + 1):
            image = self._run_image(image, number)
        return image

    def encode_text(self, embeddings: TextEmbeddings) -> PartlyEncodedTexts:
        text = PartlyEncodedTexts(words=self.text.add_positions(embeddings), token_mask=embeddings.token_mask)
        for number in range(1, self.apart + 1):
            text = self._run_text(text, number)
        return text

    def join(self, image: PartlyEncodedImages, text: PartlyEncodedTexts, image_index: Tensor) -> EncoderOutput:
        own_index = torch.arange(image_index.size(0), device=image_index.device)
        if self.cfe:
            image, image_index = image.select(image_index), own_index
        for number in range(self.apart + 1, self.depth + 1):
            if str(number) in self.cfe:
                tokens, words = self._compute(
                    self.cfe[str(number)], image.tokens, text.words, image.mask, text.token_mask)
                image, text = replace(image, tokens=tokens), replace(text, words=words)
            image, text = self._run_image(image, number), self._run_text(text, number)

        joint = replace(image, tokens=self.image.project(image.tokens))
        features = self.text.project(text.words, text.token_mask)
        if self.ske:
            joint, image_index = joint.select(image_index), own_index
            joint, features = self._exploit(joint, features)
        return EncoderOutput(
            image=ImageFeatures(
                stages=joint.stages, patches=joint.tokens[:, 1:], image_global=joint.tokens[:, 0]),
            text=features,
            image_index=image_index)

    def _exploit(self, joint: PartlyEncodedImages, text: TextFeatures) -> Tuple[PartlyEncodedImages, TextFeatures]:
        tokens, words, mask = joint.tokens, text.words_joint, joint.mask
        for module in self.ske:
            tokens, words = self._compute(module, tokens, words, mask, text.token_mask)
        text = replace(text, words_joint=words, sentence=at_end_token(words, text.token_mask))
        return replace(joint, tokens=tokens), text

    def _run_image(self, image: PartlyEncodedImages, number: int) -> PartlyEncodedImages:
        """Run a group of blocks."""
        tokens, stages = image.tokens, list(image.stages)
        for index in _group(number, self.steps[0]):
            value_path = self.value_path and index == len(self.image.blocks) - 1
            tokens = self._run(self.image, self.image_adapters, index, tokens, value_path=value_path)
            if index + 1 in self.image.taps:
                stages.append(patches_as_map(tokens, tuple(image.inside.shape[1:])))
        return replace(image, tokens=tokens, stages=tuple(stages))

    def _run_text(self, text: PartlyEncodedTexts, number: int) -> PartlyEncodedTexts:
        """Run a group of blocks."""
        words, mask = text.words, self.text.causal_mask(text.words.size(1))
        for index in _group(number, self.steps[1]):
            words = self._run(self.text, self.text_adapters, index, words, mask=mask)
        return replace(text, words=words)

    def _run(self, tower: nn.Module, adapters: nn.ModuleList, index: int, tokens: Tensor, **options: Any) -> Tensor:
        own = adapters[index] if len(adapters) else None
        return self._compute(run_block, tower.blocks[index], tokens, adapters=own, **options)

    def _compute(self, function: Callable, *inputs: Any, **options: Any) -> Any:
        if self.image.clip.transformer.grad_checkpointing:
            return recompute(function, *inputs, **options)
        return function(*inputs, **options)


def _build_adapters(depth: int, channels: int, ratio: float) -> nn.ModuleList:
    hidden = round(channels * ratio)
    return nn.ModuleList(BlockAdapters(channels, hidden) for _ in range(depth if ratio else 0))


def _group(number: int, step: int) -> range:
    """The blocks, counted from 0, of a group, counted from 1."""
    return range((number - 1) * step, number * step)
