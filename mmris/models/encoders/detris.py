"""DETRIS's encoder: frozen DINOv2 and CLIP's text tower, with trained adapters in both."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    TensorStructure,
    TextEmbeddings,
    TextFeatures,
)

from ..layers import ImageAligner, TextAligner, split_image_tokens
from .adapted_block import check_blocks, run_block, run_from_mlp, run_to_mlp
from .clip import CLIPEncoder
from .towers import DINOv2Tower, recompute, recompute_counted

_EVERY_SECOND = (2, 4, 6, 8, 10, 12)


@dataclass(frozen=True)
class PausedImages(TensorStructure):
    """Images on their way through the tower, where the sentence enters.

    Attributes:
        tokens (Tensor): ``(M, T, C)``, class token, registers and patches, behind the attention of the block that has
            the first adapter; behind the last block if there are no adapters.
        transformed (Tensor, optional): ``(M, T, C)``, what the MLP of that block makes of them. None without adapters.
        stages (tuple[Tensor]): ``(M, C, h, w)``, of the taps passed.
        inside (Tensor): ``(M, h, w)`` bool, false on patches that lie wholly in the letterbox border.
    """

    tokens: Tensor
    transformed: Optional[Tensor]
    stages: Tuple[Tensor, ...]
    inside: Tensor

    @property
    def grid(self) -> Tuple[int, int]:
        """tuple[int, int]: h and w."""
        return tuple(self.inside.shape[1:])


@MODELS.register_module()
class DETRISEncoder(CLIPEncoder):
    """DINOv2 and CLIP's text tower, aligned by adapters (Huang et al., DETRIS, AAAI 2025).

    Text adapters stand beside the MLPs of blocks of the text tower, image adapters beside those of DINOv2. In the
    latter, patches look at the text tower's words. The towers are meant to be frozen:
    ``frozen=['encoder.image', 'encoder.text']`` of the segmentor.

    All up to the first image adapter runs once an image, however many expressions it has: the blocks before, and of its
    own block the attention and the MLP. The adapter itself runs for each expression, as all others do, so that its
    BatchNorms count the same rows as theirs.

    Padding is read: patches look at it, and the text adapters' convolutions mix it into words. So sentences are always
    padded to one length, with the token 0, whatever length they come with.

    DINOv2 has no space in common with a sentence. Branches of masked distillation need one: ``joint_map``.

    Args:
        image (dict): Config of a :class:`DINOv2Tower`.
        image_adapter_blocks (Sequence[int]): Blocks of DINOv2 with an adapter, increasing, counted from 1. Defaults to
            (2, 4, 6, 8, 10, 12).
        image_adapter_channels (int): Width inside these adapters, a multiple of 16. Defaults to 128.
        text_adapter_blocks (Sequence[int]): Blocks of the text tower with an adapter, increasing, counted from 1.
            Defaults to (2, 4, 6, 8, 10, 12).
        text_adapter_channels (int): Width inside these adapters, a multiple of 16. Defaults to 64.
        attention_channels (int): Width at which patches look at words, divisible by ``attention_heads``. Defaults to
            128.
        attention_heads (int): Heads of that attention. Defaults to 8.
        dropout (float): Probability in training, in its weights. Defaults to 0.1.
        text_length (int): Tokens that each sentence is padded to, at least 2. It belongs to the weights. Defaults to
            17.
        joint_map (bool): Whether a learned linear map takes DINOv2's last stage into the text's joint space. Mapped, it
            is the last stage given on, so that the map learns with all that follows. Defaults to False: the last
            stage itself.
        **options: Those of :class:`CLIPEncoder`, but for ``taps``, which are those of ``image``.

    Raises:
        ValueError: As of :class:`CLIPEncoder`.
        ValueError: If ``image`` is no :class:`DINOv2Tower`, or has a ``joint_channels``.
        ValueError: If adapters' blocks are not increasing numbers of blocks, or their widths no multiples of 16.
        ValueError: If ``text_length`` is below 2 or beyond the positions of the text tower.
    """

    def __init__(self,
                 *,
                 image: dict,
                 image_adapter_blocks: Sequence[int] = _EVERY_SECOND,
                 image_adapter_channels: int = 128,
                 text_adapter_blocks: Sequence[int] = _EVERY_SECOND,
                 text_adapter_channels: int = 64,
                 attention_channels: int = 128,
                 attention_heads: int = 8,
                 dropout: float = 0.1,
                 text_length: int = 17,
                 joint_map: bool = False,
                 **options: Any) -> None:
        _check_image(image)
        super().__init__(image={**image, 'joint_channels': None}, **options)
        positions = self.text.clip.positional_embedding.size(0)
        if not 2 <= text_length <= positions:
            raise ValueError(f'text_length of DETRISEncoder must be 2 to {positions}, the positions of the text tower, '
                             f'but got {text_length}.')
        self.text_length = text_length
        numbers = check_blocks('image_adapter_blocks of DETRISEncoder must be', image_adapter_blocks,
                               len(self.image.blocks))
        # Blocks that know nothing of the sentence.
        self.apart = numbers[0] - 1 if numbers else len(self.image.blocks)
        # By the names of their blocks, which are counted from 0.
        self.image_adapters = nn.ModuleDict({
            str(number - 1): ImageAligner(
                self.cell_channels,
                image_adapter_channels,
                word_channels=self.word_channels,
                shared_channels=attention_channels,
                num_heads=attention_heads,
                dropout=dropout)
            for number in numbers
        })
        self.text_adapters = nn.ModuleDict({
            str(number - 1): TextAligner(self.word_channels, text_adapter_channels)
            for number in check_blocks('text_adapter_blocks of DETRISEncoder must be', text_adapter_blocks,
                                       len(self.text.blocks))
        })
        joint_channels = self.text.clip.text_projection.size(1)
        self.joint_map = nn.Linear(self.cell_channels, joint_channels, bias=False) if joint_map else nn.Identity()

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        length = expressions.token_ids.size(1)
        if length > self.text_length:
            raise ValueError(
                f'Sentences have {length} tokens, but text_length of DETRISEncoder is {self.text_length}. Lower '
                f'context_length of the Tokenize transform, or from scratch, raise text_length.')
        padding = (0, self.text_length - length)
        return super().embed_text(
            replace(
                expressions,
                token_ids=F.pad(expressions.token_ids, padding),
                token_mask=F.pad(expressions.token_mask, padding)))

    def encode_text(self, embeddings: TextEmbeddings) -> TextFeatures:
        words, mask = self.text.add_positions(embeddings), self.text.causal_mask(embeddings.words.size(1))
        for index, block in enumerate(self.text.blocks):
            adapter = self.text_adapters[str(index)] if str(index) in self.text_adapters else None
            run = run_block
            if self.text.clip.transformer.grad_checkpointing:
                run = partial(recompute_counted, block if adapter is None else adapter, run_block)
            words = run(block, words, mask=mask, beside_mlp=adapter)
        return self.text.project(words, embeddings.token_mask)

    def encode_image(self, embeddings: ImageEmbeddings) -> PausedImages:
        grid = tuple(embeddings.cells.shape[-2:])
        tokens, stages = self._run_plain(self.image.add_positions(embeddings), (), range(self.apart), grid)
        transformed = None
        if self.image_adapters:
            run = partial(recompute, run_to_mlp) if self.image.activation_checkpointing else run_to_mlp
            tokens, transformed = run(self.image.blocks[self.apart], tokens)
        return PausedImages(tokens=tokens, transformed=transformed, stages=stages, inside=embeddings.inside)

    def join(self, image: PausedImages, text: TextFeatures, image_index: Tensor) -> EncoderOutput:
        if self.image_adapters:
            image = self._finish(image.select(image_index), text.words)
            image_index = torch.arange(image_index.size(0), device=image_index.device)
        features = self.image.read_out(image.tokens, image.stages, image.grid, self.joint_map)
        return EncoderOutput(image=features, text=text, image_index=image_index)

    def _finish(self, image: PausedImages, words: Tensor) -> PausedImages:
        """Run the rest of the tower on images that each have one sentence."""
        tokens, transformed, stages, grid = image.tokens, image.transformed, image.stages, image.grid
        for index in range(self.apart, len(self.image.blocks)):
            if str(index) not in self.image_adapters:
                tokens, stages = self._run_plain(tokens, stages, range(index, index + 1), grid)
                continue
            adapter = self.image_adapters[str(index)]
            run = _run_aligned
            if self.image.activation_checkpointing:
                run = partial(recompute_counted, adapter, _run_aligned)
            tokens = run(self.image.blocks[index], tokens, transformed, adapter, words, grid)
            transformed, stages = None, self._tapped(index, tokens, stages, grid)
        return replace(image, tokens=tokens, transformed=None, stages=stages)

    def _run_plain(self, tokens: Tensor, stages: Tuple[Tensor, ...], indices: range,
                   grid: Tuple[int, int]) -> Tuple[Tensor, Tuple[Tensor, ...]]:
        """Run blocks without adapters."""
        for index in indices:
            block = self.image.blocks[index]
            tokens = recompute(block, tokens) if self.image.activation_checkpointing else block(tokens)
            stages = self._tapped(index, tokens, stages, grid)
        return tokens, stages

    def _tapped(self, index: int, tokens: Tensor, stages: Tuple[Tensor, ...],
                grid: Tuple[int, int]) -> Tuple[Tensor, ...]:
        """The stages with that of a block, if it is one before the last."""
        return (*stages, split_image_tokens(tokens, grid)[0]) if index + 1 in self.image.taps[:-1] else stages


def _run_aligned(block: nn.Module, tokens: Tensor, transformed: Optional[Tensor], adapter: ImageAligner, words: Tensor,
                 grid: Tuple[int, int]) -> Tensor:
    """Run a block with an adapter, or what is left of it where its MLP has run."""
    if transformed is None:
        tokens, transformed = run_to_mlp(block, tokens)
    return run_from_mlp(block, tokens, transformed, lambda normed: adapter(normed, words, grid))


def _check_image(image: dict) -> None:
    kind = image.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(found, type) or not issubclass(found, DINOv2Tower):
        raise ValueError(f'DETRISEncoder takes a DINOv2Tower as image tower, but image has the type {kind!r}.')
    if image.get('joint_channels') is not None:
        raise ValueError(f'image of DETRISEncoder has joint_channels={image["joint_channels"]}, but its map would be '
                         f'frozen with the tower: set joint_map=True of DETRISEncoder instead.')
