"""BERT as a text tower."""

from typing import Optional, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.checkpoints.published.bert import ARCHITECTURES, BERT
from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, TextEmbeddings, TextFeatures

from ...layers import check_token_ids, fuse_attention
from .image_tower import recompute
from .published_tower import load_tower

_EPS = 1e-12
# The row of the table of types that a text alone has.
_FIRST = 0


class BERTLayer(nn.TransformerEncoderLayer):
    """PyTorch's layer in BERT's form, by its plain operators.

    PyTorch's own ``forward`` takes a fused kernel in evaluation, whose operations :mod:`mmris.utils.complexity` cannot
    count.

    Args:
        channels (int): Width of the words, divisible by ``heads``.
        heads (int): Attention heads.
        feedforward_channels (int): Width inside the feedforward.
        dropout (float): Probability in training, in the weights of attention and behind attention and feedforward.
    """

    def __init__(self, channels: int, heads: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__(
            channels, heads, feedforward_channels, dropout, F.gelu, layer_norm_eps=_EPS, batch_first=True)
        fuse_attention(self)
        # PyTorch has one inside the feedforward, BERT none.
        self.dropout = nn.Identity()

    def forward(self, words: Tensor, padding: Tensor) -> Tensor:
        """Run the layer.

        Args:
            words (Tensor): ``(P, L, channels)``.
            padding (Tensor): ``(P, L)`` bool, true on padding.

        Returns:
            Tensor: ``(P, L, channels)``.
        """
        attended = self.self_attn(words, words, words, key_padding_mask=padding, need_weights=False)[0]
        words = self.norm1(words + self.dropout1(attended))
        return self.norm2(words + self.dropout2(self.linear2(self.activation(self.linear1(words)))))


@MODELS.register_module()
class BERTTextTower(BaseModule):
    """BERT (Devlin et al., NAACL 2019) without its pooler.

    Words are the last layer's output, and so are the words in the joint space; the sentence is its first token there,
    [CLS].

    Args:
        architecture (str or dict): ``'base'``, or a dict of ``layers``, ``channels``, ``heads``,
            ``feedforward_channels``, ``vocabulary`` and ``text_positions``. Left out, they are those of its ``name``,
            by default base's: 12, 768, 12, four times ``channels``, 30522 and 512. Default: ``'base'``.
        dropout (float): Probability in training: behind the embeddings, in the weights of attention, and behind
            attention and feedforward of each layer. Default: 0.1.
        pretrained (str, optional): Weights of BERT, as Hugging Face publishes them: a file, a folder or an address; or
            a model trained here, or its work folder. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        activation_checkpointing (bool): Compute the layers' activations again in the backward pass. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        word_channels (int): Width of the words.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict] = 'base',
                 dropout: float = 0.1,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = sizes = ARCHITECTURES.complete(architecture)
        self.pretrained, self.trust_pretrained = pretrained, trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        channels = self.word_channels = sizes['channels']
        self.word_embedding = nn.Embedding(sizes['vocabulary'], channels)
        self.positions = nn.Parameter(torch.empty(sizes['text_positions'], channels))
        self.types = nn.Parameter(torch.empty(2, channels))
        self.norm = nn.LayerNorm(channels, eps=_EPS)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            BERTLayer(channels, sizes['heads'], sizes['feedforward_channels'], dropout)
            for _ in range(sizes['layers']))
        # As BERT begins them.
        for table in (self.word_embedding.weight, self.positions, self.types):
            nn.init.normal_(table, std=0.02)

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: What ``pretrained``, if set, fills: all."""
        return () if self.pretrained is None else ('word_embedding', 'positions', 'types', 'norm', 'layers')

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError, ValueError: If the file is missing or cannot be read.
            RuntimeError: If it holds no such BERT.
        """
        load_tower(self, BERT, 'text tower', self.architecture)

    def embed(self, expressions: ExpressionBatch) -> TextEmbeddings:
        """Embed P expressions.

        Raises:
            ValueError: See :func:`~mmris.models.layers.token_ids.check_token_ids`.
        """
        check_token_ids(
            expressions.token_ids,
            owner='text tower',
            positions=len(self.positions),
            vocabulary=self.word_embedding.num_embeddings,
            vocabulary_option='vocabulary in the architecture of BERTTextTower')
        return TextEmbeddings(words=self.word_embedding(expressions.token_ids), token_mask=expressions.token_mask)

    def encode(self, embeddings: TextEmbeddings) -> TextFeatures:
        """Encode P expressions."""
        words = embeddings.words + self.positions[:embeddings.words.size(1)] + self.types[_FIRST]
        words, padding = self.dropout(self.norm(words)), ~embeddings.token_mask
        for layer in self.layers:
            words = recompute(layer, words, padding) if self.activation_checkpointing else layer(words, padding)
        return TextFeatures(
            words=words, words_joint=words, sentence=words[:, 0], token_mask=embeddings.token_mask)
