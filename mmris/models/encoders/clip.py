"""CLIP's image and text towers, out of open_clip's modules."""

from typing import Optional, Sequence, Union

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageFeatures,
    TextEmbeddings,
    TextFeatures,
)

from .base import Encoder
from .clip_image import CLIPImageHalf, build_towers, load_towers


@MODELS.register_module()
class CLIPEncoder(CLIPImageHalf, Encoder):
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
        activation_checkpointing (bool): Keep no activations inside the transformers' blocks, and compute them again
            in the backward pass: less memory, more time, the same gradients. Defaults to False.
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
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        towers = build_towers(architecture)
        self.take_image_tower(towers.visual, taps, architecture)
        self.text: TextTransformer = towers.text
        _check_text_tower(self.text, architecture)
        for tower in (self.visual, self.text):
            tower.transformer.grad_checkpointing = activation_checkpointing
        self.word_channels = self.text.width

    def init_weights(self) -> None:
        """Initialise, then load ``pretrained``.

        Raises:
            ValueError: If ``pretrained`` is neither a tag of the architecture nor a file.
            RuntimeError: If the file holds another architecture.
        """
        super().init_weights()
        if self.pretrained is not None:
            towers = load_towers(self.architecture, self.pretrained)
            self.visual.load_state_dict(towers.visual.state_dict())
            self.text.load_state_dict(towers.text.state_dict())

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        length, positions = expressions.token_ids.size(1), self.text.positional_embedding.size(0)
        if length > positions:
            raise ValueError(
                f'Sentences have {length} tokens, but the text tower has {positions} positions. '
                f'Lower context_length of the Tokenize transform.')
        return TextEmbeddings(
            words=self.text.token_embedding(expressions.token_ids), token_mask=expressions.token_mask)

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


def _check_text_tower(text: torch.nn.Module, architecture: Union[str, dict]) -> None:
    plain = (
        isinstance(text, TextTransformer) and text.attn_mask is not None and text.cls_emb is None
        and isinstance(text.text_projection, torch.nn.Parameter) and not text.use_pad_mask)
    if not plain:
        raise ValueError(
            f'The text tower of {architecture!r} is not a plain causal transformer with a linear projection, '
            f'which is what CLIPEncoder takes. Use a text tower of OpenAI\'s form, as in ViT-B-16.')
