"""What holds of every tokenizer."""

import pickle
from typing import Callable, Sequence

import torch
from torch.utils.data import DataLoader


def check_odd_text(tokenizer: Callable) -> None:
    """Half characters are U+FFFD to each, and a sentence of any length is read in no time."""
    halves, whole = ['the \ud83d man', 'left \udce9'], ['the \ufffd man', 'left \ufffd']
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(tokenizer(halves), tokenizer(whole)))
    # CLIP's own takes hours for a million letters.
    ids, mask = tokenizer(['lefttop' * 200000, 'man ' * 200000])
    assert ids.size(0) == 2 and mask[1].all()


def check_padding_to_the_longest(build: Callable, long: str) -> None:
    """Rows as long as the longest sentence, which a fixed length would only lengthen; also of none, and of cut ones.

    Args:
        build (Callable): From ``context_length`` and ``pad_to_longest`` to a tokenizer.
        long (str): A sentence of more than 3 tokens.
    """
    sentences = ['', 'man', long]
    ids, mask = build(context_length=40, pad_to_longest=False)(sentences)
    tokenizer = build(context_length=40, pad_to_longest=True)
    for count in (1, 2, 3):
        length = mask[:count].sum(dim=1).max()
        found = tokenizer(sentences[:count])
        assert torch.equal(found[0], ids[:count, :length]) and torch.equal(found[1], mask[:count, :length])
    assert tokenizer.decode(found[0][1], found[1][1]) == tokenizer.decode(ids[1], mask[1])
    assert [part.shape for part in tokenizer([])] == [(0, 2)] * 2
    fixed, cut = (build(context_length=4, pad_to_longest=longest)([long]) for longest in (False, True))
    assert all(torch.equal(mine, other) for mine, other in zip(cut, fixed)) and cut[1].all()


def check_workers(tokenizer: Callable, sentences: Sequence[str]) -> None:
    """The same in a worker that is forked, and in a copy, as where workers are started anew."""
    expected = tokenizer(sentences)
    from_fork = next(iter(DataLoader([sentences], collate_fn=lambda batch: tokenizer(batch[0]), num_workers=1)))
    from_copy = pickle.loads(pickle.dumps(tokenizer))(sentences)
    for mine in (from_fork, from_copy):
        assert torch.equal(mine[0], expected[0]) and torch.equal(mine[1], expected[1])
