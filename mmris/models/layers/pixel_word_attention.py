"""LAVT's attention of pixels on words."""

from typing import Optional, Tuple

import torch.nn.functional as F
from torch import Tensor, nn

from .attention import attention_matrix

_ACTIVATIONS = dict(relu=lambda: nn.ReLU(inplace=True), gelu=nn.GELU)


class PixelWordAttention(nn.Module):
    """Pixels gather words, which then weigh the pixels (Yang et al., LAVT, CVPR 2022, section 3.2).

    With V a stage of the image, C its width, L the words, f the activation and every w a 1x1 convolution::

        G = w_w(softmax(w_q(V)^T w_k(L) / sqrt(C)) w_v(L)^T)     w_q and w_w with an InstanceNorm
        F = f(w_o(f(w_m(V)) * G))

    Query and pixels, the two maps of V, are computed once an image, however many sentences it has.

    Args:
        in_channels (int): Width of the pixels.
        out_channels (int): Width of the output.
        word_channels (int, optional): Width of the words. Default: None, ``in_channels``.
        activation (str): ``'relu'``, the paper's, or ``'gelu'``, that of the published code. Default: ``'relu'``.

    Raises:
        ValueError: If ``activation`` is unknown.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 *,
                 word_channels: Optional[int] = None,
                 activation: str = 'relu') -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(f'activation of PixelWordAttention must be one of {", ".join(_ACTIVATIONS)}, but got '
                             f'{activation!r}.')
        build_activation = _ACTIVATIONS[activation]
        word_channels = in_channels if word_channels is None else word_channels
        # No bias where it changes nothing. One in front of an InstanceNorm is taken away by that; one of the keys adds
        # the same to the scores of all words; one of the values adds the same to all pixels, before an InstanceNorm.
        self.query = nn.Sequential(nn.Conv2d(in_channels, in_channels, 1, bias=False), nn.InstanceNorm2d(in_channels))
        self.key_value = nn.Linear(word_channels, 2 * in_channels, bias=False)
        self.gathered = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 1, bias=False), nn.InstanceNorm2d(in_channels))
        self.pixels = nn.Sequential(nn.Conv2d(in_channels, in_channels, 1), build_activation())
        self.out = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), build_activation())

    def forward(self, stage: Tensor, words: Tensor, token_mask: Tensor, image_index: Tensor) -> Tensor:
        """Fuse.

        Args:
            stage (Tensor): ``(M, in_channels, h, w)``, of more than one cell.
            words (Tensor): ``(P, L, word_channels)``.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
            image_index (Tensor): ``(P,)`` int64, the row of ``stage`` that belongs to each sentence.

        Returns:
            Tensor: ``(P, out_channels, h, w)``.
        """
        query, key, value = self._project(stage, words, image_index)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=token_mask[:, None, None])
        gathered = self.gathered(attended[:, 0].transpose(1, 2).unflatten(2, stage.shape[-2:]))
        return self.out(self.pixels(stage).index_select(0, image_index) * gathered)

    def attention_weights(self, stage: Tensor, words: Tensor, token_mask: Tensor, image_index: Tensor) -> Tensor:
        """How much each pixel takes from which word, for the same inputs as ``forward``.

        Returns:
            Tensor: ``(P, 1, h * w, L)``, each row of which sums to 1, with zeros on padding.
        """
        query, key, _ = self._project(stage, words, image_index)
        return attention_matrix(query, key, token_mask[:, None, None])

    def _project(self, stage: Tensor, words: Tensor, image_index: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """The one head's query ``(P, 1, h * w, in_channels)``, key and value ``(P, 1, L, in_channels)``."""
        query = self.query(stage).flatten(2).transpose(1, 2).index_select(0, image_index)
        key, value = self.key_value(words).chunk(2, dim=-1)
        return query[:, None], key[:, None], value[:, None]
