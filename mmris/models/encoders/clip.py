"""CLIP's image and text towers, out of open_clip's modules."""

from typing import Optional, Sequence, Union

import torch
from mmengine.logging import print_log
from open_clip import CustomTextCLIP, get_model_config, list_models
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor

from mmris.checkpoints import load_clip_weights
from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageFeatures,
    ImageInputs,
    TextEmbeddings,
    TextFeatures,
)

from ..layers import patches_inside, resize_positions
from .base import Encoder


@MODELS.register_module()
class CLIPEncoder(Encoder):
    """CLIP with a ViT and a causal text transformer (Radford et al., ICML 2021; modules of open_clip).

    Neither tower sees the other, so their states are their features and ``join`` only pairs them. Inputs may have any
    size that is a multiple of the patch size: learned positions are resized to it (bicubic). Words are the text
    tower's final LayerNorm, not projected; the joint space is reached by ``ln_post`` and ``proj`` for patches and the
    class token, and by ``text_projection`` for words and the end token, whose row is the sentence.

    Args:
        architecture (str or dict): An open_clip model name such as ``'ViT-B-16-quickgelu'`` (OpenAI's weights want
            the ``-quickgelu`` names), or a dict in the form of open_clip's model configs: ``embed_dim``,
            ``vision_cfg``, ``text_cfg`` and optionally ``quick_gelu``.
        pretrained (str, optional): An open_clip tag (downloaded by open_clip) or a checkpoint file, loaded by
            :meth:`init_weights`, so not when a trained checkpoint of the whole model is tested. Defaults to None:
            from scratch.
        taps (Sequence[int], optional): Blocks of the image tower, counted from 1, after which a stage is taken. The
            last must be the last block; its stage goes through ``ln_post`` and ``proj``. Defaults to the blocks at a
            third, two thirds and the end, which needs three blocks.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is no open_clip model.
        ValueError: If its towers are not a plain ViT with learned positions and class token, and a plain causal
            text transformer.
        ValueError: If ``taps`` are not increasing or do not end at the last block.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 taps: Optional[Sequence[int]] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        config = _architecture_config(architecture)
        towers = CustomTextCLIP(**config)
        self.visual: VisionTransformer = towers.visual
        self.text: TextTransformer = towers.text
        _check_towers(self.visual, self.text, architecture)

        depth = len(self.visual.transformer.resblocks)
        self.taps = tuple(taps) if taps is not None else _default_taps(depth)
        _check_taps(self.taps, depth)

        self.patch_size = self.visual.patch_size
        self.cell_channels = self.visual.conv1.out_channels
        self.word_channels = self.text.width

    def init_weights(self) -> None:
        """Initialise, then load ``pretrained``.

        Raises:
            ValueError: If ``pretrained`` is neither a tag of the architecture nor a file.
            RuntimeError: If the file holds another architecture.
        """
        super().init_weights()
        if self.pretrained is not None:
            towers = CustomTextCLIP(**_architecture_config(self.architecture))
            load_clip_weights(towers, self.architecture, self.pretrained)
            self.visual.load_state_dict(towers.visual.state_dict())
            self.text.load_state_dict(towers.text.state_dict())
            print_log(f'Loaded CLIP weights from {self.pretrained}.', logger='current')

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        height, width = images.pixels.shape[-2:]
        if height % self.patch_size[0] or width % self.patch_size[1]:
            raise ValueError(
                f'The input is {height} x {width} pixels (height x width), but must be a multiple of the patch size '
                f'{self.patch_size[0]} x {self.patch_size[1]}. Change the size of the Letterbox or Resize transform.')
        cells = self.visual.conv1(images.pixels)
        return ImageEmbeddings(cells=cells, inside=patches_inside(images.box, tuple(cells.shape[-2:]), (height, width)))

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        length, positions = expressions.token_ids.size(1), self.text.positional_embedding.size(0)
        if length > positions:
            raise ValueError(
                f'Sentences have {length} tokens, but the text tower has {positions} positions. '
                f'Lower context_length of the Tokenize transform.')
        return TextEmbeddings(
            words=self.text.token_embedding(expressions.token_ids), token_mask=expressions.token_mask)

    def encode_image(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        rows, _, height, width = embeddings.cells.shape
        class_position, positions = self.visual.positional_embedding.split(
            (1, self.visual.positional_embedding.size(0) - 1))
        positions = resize_positions(positions, self.visual.grid_size, (height, width))
        class_token = (self.visual.class_embedding + class_position).expand(rows, 1, -1)
        tokens = torch.cat((class_token, embeddings.cells.flatten(2).transpose(1, 2) + positions), dim=1)
        tokens = self.visual.ln_pre(tokens)

        # open_clip takes no empty list: the last block is tapped too, and left out.
        tokens, tapped = self.visual.transformer.forward_intermediates(tokens, indices=[tap - 1 for tap in self.taps])
        joint = self.visual.ln_post(tokens) @ self.visual.proj

        def as_map(sequence: Tensor) -> Tensor:
            return sequence[:, 1:].transpose(1, 2).unflatten(2, (height, width))

        return ImageFeatures(
            stages=(*(as_map(stage) for stage in tapped[:-1]), as_map(joint)),
            patches=joint[:, 1:],
            image_global=joint[:, 0])

    def encode_text(self, embeddings: TextEmbeddings) -> TextFeatures:
        length = embeddings.words.size(1)
        words = embeddings.words + self.text.positional_embedding[:length]
        words = self.text.transformer(words, attn_mask=self.text.attn_mask[:length, :length])
        words = self.text.ln_final(words)
        joint = words @ self.text.text_projection
        end = embeddings.token_mask.sum(dim=1) - 1
        sentence = joint[torch.arange(end.size(0), device=end.device), end]
        return TextFeatures(words=words, words_joint=joint, sentence=sentence, token_mask=embeddings.token_mask)

    def join(self, image: ImageFeatures, text: TextFeatures, image_index: Tensor) -> EncoderOutput:
        return EncoderOutput(image=image, text=text, image_index=image_index)


def _architecture_config(architecture: Union[str, dict]) -> dict:
    config = get_model_config(architecture) if isinstance(architecture, str) else dict(architecture)
    if config is None:
        names = ', '.join(name for name in list_models() if name.startswith('ViT-'))
        raise ValueError(f'architecture {architecture!r} is no open_clip model. ViTs that open_clip knows: {names}.')
    config.pop('custom_text', None)
    return config


def _check_towers(visual: torch.nn.Module, text: torch.nn.Module, architecture: Union[str, dict]) -> None:
    plain_visual = (
        isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type == 'tok'
        and not visual.final_ln_after_pool and visual.positional_embedding.requires_grad
        and isinstance(visual.patch_dropout, torch.nn.Identity))
    if not plain_visual:
        raise ValueError(
            f'The image tower of {architecture!r} is not a plain ViT with class token and learned positions, '
            f'which is what CLIPEncoder takes. Use a ViT of OpenAI\'s form, such as ViT-B-16.')
    plain_text = (
        isinstance(text, TextTransformer) and text.attn_mask is not None and text.cls_emb is None
        and isinstance(text.text_projection, torch.nn.Parameter) and not text.use_pad_mask)
    if not plain_text:
        raise ValueError(
            f'The text tower of {architecture!r} is not a plain causal transformer with a linear projection, '
            f'which is what CLIPEncoder takes. Use a text tower of OpenAI\'s form, as in ViT-B-16.')


def _default_taps(depth: int) -> Sequence[int]:
    if depth < 3:
        raise ValueError(f'An image tower of {depth} blocks has no default taps, which are three: set taps=({depth},).')
    return depth - 2 * (depth // 3), depth - depth // 3, depth


def _check_taps(taps: Sequence[int], depth: int) -> None:
    if list(taps) != sorted(set(taps)) or not taps or taps[0] < 1 or taps[-1] != depth:
        raise ValueError(
            f'taps must increase, begin at 1 or later, and end at the last of {depth} blocks, but got {tuple(taps)}.')
