"""Sentences as people give them."""

from typing import Any, List, Mapping, Sequence, Set, Union

from mmris.utils.text import shorten, to_well_formed


def read_sentences(sentences: Union[str, Sequence[str]]) -> List[str]:
    """Read one or several sentences.

    Args:
        sentences (str or Sequence[str]): One or S sentences. Halves of characters (lone surrogates) become U+FFFD.

    Returns:
        list[str]: S sentences that every tokenizer takes.

    Raises:
        ValueError: If it is neither a string nor a sequence, or one of the sequence is not a string; the message has
            its position, counted from 1, and its type.
    """
    if isinstance(sentences, str):
        return [to_well_formed(sentences)]
    if isinstance(sentences, (bytes, bytearray)):
        raise ValueError(f'A sentence is a string, but got {_describe(sentences)}')
    if isinstance(sentences, (Set, Mapping)) or not _is_iterable(sentences):
        raise ValueError(f'Sentences are a string or a list of strings, but got {_describe(sentences)}')
    read = list(sentences)
    for position, sentence in enumerate(read, 1):
        if not isinstance(sentence, str):
            raise ValueError(f'A sentence is a string, but sentence {position} of {len(read)} is {_describe(sentence)}')
    return [to_well_formed(sentence) for sentence in read]


def read_sentence(sentence: str) -> str:
    """Read one sentence.

    Args:
        sentence (str): As in :func:`read_sentences`.

    Returns:
        str: The sentence.

    Raises:
        ValueError: If it is not a string.
    """
    if not isinstance(sentence, str):
        raise ValueError(f'One sentence is a string, but got {_describe(sentence)}')
    return to_well_formed(sentence)


def _is_iterable(value: Any) -> bool:
    try:
        iter(value)
    except TypeError:
        return False
    return True


def _describe(value: Any) -> str:
    """A value that is no sentence, with what to do if there is something."""
    if value is None:
        return 'None.'
    hint = ': call its decode().' if isinstance(value, (bytes, bytearray)) else '.'
    return f'{shorten(value)} ({type(value).__name__}){hint}'
