"""The text side of LAVT: BERT (Devlin et al., NAACL 2019) without its pooler, plainly."""

from typing import Dict

from torch import Tensor

from tests.models.plain_risclip import depth, gelu
from tests.models.plain_shared import linear, part
from tests.parity.plain_clip import attend
from tests.parity.plain_detris_towers import layer_norm

State = Dict[str, Tensor]

EPSILON = 1e-12


def layer(state: State, tokens: Tensor, forbidden: Tensor, heads: int) -> Tensor:
    """Attention, then the MLP; each is followed by its shortcut and then its norm."""
    own = part(state, 'attention.self')
    query, key, value = (linear(part(own, name), tokens) for name in ('query', 'key', 'value'))
    taken = linear(part(state, 'attention.output.dense'), attend(query, key, value, heads, forbidden))
    tokens = layer_norm(part(state, 'attention.output.LayerNorm'), tokens + taken, EPSILON)
    hidden = gelu(linear(part(state, 'intermediate.dense'), tokens))
    return layer_norm(part(state, 'output.LayerNorm'), tokens + linear(part(state, 'output.dense'), hidden), EPSILON)


def bert(state: State, token_ids: Tensor, token_mask: Tensor, heads: int) -> Tensor:
    """Words ``(P, L, C)`` of the last layer; padding has a row too.

    Args:
        state (dict): By the names of Hugging Face's ``BertModel``.
        token_ids (Tensor): ``(P, L)`` int64.
        token_mask (Tensor): ``(P, L)`` bool, false on padding, which no token sees.
        heads (int): Attention heads.
    """
    rows, length = token_ids.shape
    tables = part(state, 'embeddings')
    tokens = tables['word_embeddings.weight'][token_ids] + tables['position_embeddings.weight'][:length]
    tokens = layer_norm(part(tables, 'LayerNorm'), tokens + tables['token_type_embeddings.weight'][0], EPSILON)
    forbidden = ~token_mask[:, None, :].expand(rows, length, length)
    for index in range(depth(state, 'encoder.layer')):
        tokens = layer(part(state, f'encoder.layer.{index}'), tokens, forbidden, heads)
    return tokens
