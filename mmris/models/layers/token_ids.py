"""Token ids, and what an embedding has room for."""

import torch
from torch import Tensor


def check_token_ids(token_ids: Tensor, *, owner: str, positions: int, vocabulary: int, vocabulary_option: str) -> None:
    """Check that token ids can be embedded.

    Args:
        token_ids (Tensor): ``(P, L)`` int64.
        owner (str): What embeds them, for the message.
        positions (int): Positions that it has.
        vocabulary (int): Tokens that it has embeddings of.
        vocabulary_option (str): Where that number is set, for the message.

    Raises:
        ValueError: If there are more tokens than positions.
        ValueError: On the CPU, if an id is beyond the vocabulary. A GPU would have to wait to be asked; there PyTorch's
            own assertion ends the run.
    """
    length = token_ids.size(1)
    if length > positions:
        raise ValueError(
            f'Sentences have {length} tokens, but the {owner} has {positions} positions. '
            f'Lower context_length of the Tokenize transform.')
    if token_ids.device.type == 'cpu' and not torch.compiler.is_compiling() and (token_ids >= vocabulary).any():
        raise ValueError(
            f'A sentence has the token id {token_ids.max()}, but the {owner} has embeddings of {vocabulary} tokens: '
            f'its vocabulary is not that of the tokenizer. Take the tokenizer that belongs to the weights; from '
            f'scratch, set {vocabulary_option} to the size of the tokenizer\'s.')
