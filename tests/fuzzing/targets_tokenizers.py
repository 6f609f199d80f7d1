"""Vocabularies, and sentences."""

import gzip
import tempfile
from functools import cache
from pathlib import Path
from typing import Dict, Iterator

import numpy as np
import open_clip

from mmris.tokenizers import BEiT3Tokenizer, CLIPTokenizer, SentenceTokenizer, WordPieceTokenizer, WordTokenizer
from tests.datasets import test_beit3_tokenizer, test_word_piece_tokenizer, test_word_tokenizer

from .target import Read, Target, WrongResultError, reading_file

_CLIP = Path(open_clip.__file__).with_name('bpe_simple_vocab_16e6.txt.gz')
_LENGTH = 20


@cache
def vocabularies() -> Dict[type, bytes]:
    """The file of each tokenizer."""
    folder = Path(tempfile.mkdtemp(prefix='mmris-fuzzing-vocabularies-'))
    return {
        BEiT3Tokenizer: test_beit3_tokenizer.write_vocabulary(folder / 'beit3.spm').read_bytes(),
        CLIPTokenizer: _CLIP.read_bytes(),
        WordPieceTokenizer: test_word_piece_tokenizer.write_vocabulary(folder / 'vocab.txt').read_bytes(),
        WordTokenizer: test_word_tokenizer.write(folder / 'words.txt').read_bytes(),
    }


def _file(kind: type, name: str) -> Target:

    def read(path: Path) -> None:
        _check(kind(context_length=_LENGTH, vocabulary=path), 'the red circle')

    def seeds(_: Path) -> Iterator[bytes]:
        content = vocabularies()[kind]
        if len(content) < 300_000:
            yield content
        # Cut, so that most changes fall on what is read first.
        yield content[:3000]
        if kind is CLIPTokenizer:
            yield gzip.compress(gzip.decompress(content)[:3000])

    return Target(name=f'vocabulary_{name}', readers=[kind.__module__], prepare=reading_file('vocabulary', read),
                  seeds=seeds)


def _check(tokenizer: SentenceTokenizer, text: str) -> None:
    ids, mask = tokenizer([text, 'the'])
    size = tokenizer.vocabulary.size
    if ids.shape != (2, _LENGTH) or mask.shape != ids.shape or ids.min() < 0 or ids.max() >= size:
        raise WrongResultError('ids of another shape, or beyond the vocabulary')
    if not np.array_equal(tokenizer([text])[0][0], ids[0]):
        raise WrongResultError('ids that depend on the sentence beside it')
    tokenizer.decode(ids[0], mask[0])


def _prepare_text(folder: Path) -> Read:
    tokenizers = []
    for kind, content in vocabularies().items():
        (folder / kind.__name__).write_bytes(content)
        tokenizers.append(kind(context_length=_LENGTH, vocabulary=folder / kind.__name__))
    semantic = BEiT3Tokenizer(context_length=_LENGTH, vocabulary=folder / 'BEiT3Tokenizer', semantic_token=True,
                              lower_case=True)

    def read(content: bytes) -> None:
        text = content.decode('utf-8', 'surrogateescape')
        for tokenizer in (*tokenizers, semantic):
            _check(tokenizer, text)

    return read


def _texts(_: Path) -> Iterator[bytes]:
    for text in (*test_beit3_tokenizer.SENTENCES, '[semantic] hair &lt;b&gt; <start_of_text>', "it's 2nd, dont'"):
        yield text.encode()


TARGETS = [
    _file(BEiT3Tokenizer, 'beit3'),
    _file(CLIPTokenizer, 'clip'),
    _file(WordPieceTokenizer, 'word_pieces'),
    _file(WordTokenizer, 'words'),
    Target(name='sentences', prepare=_prepare_text, seeds=_texts,
           readers=['mmris.tokenizers.common', 'mmris.tokenizers.clip_text', 'mmris.tokenizers.clip',
                    'mmris.tokenizers.beit3', 'mmris.tokenizers.word_pieces', 'mmris.tokenizers.words']),
]
