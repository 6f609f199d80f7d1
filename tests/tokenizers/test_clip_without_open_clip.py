"""CLIP's tokenizer by the tokenizers library, beside that of open_clip."""

import gzip
import html
import pickle
import shutil
import unicodedata
from html.entities import html5
from pathlib import Path

import numpy as np
import open_clip
import pytest
from ftfy.badness import is_bad
from ftfy.fixes import unescape_html

from mmris import tokenizers
from mmris.datasets import CLIPTokenizer
from mmris.datasets.shaperef.references import refer_to_objects
from mmris.datasets.shaperef.scene import sample_scene
from mmris.names import SHAPEREF_STYLES

VOCABULARY = Path(open_clip.__file__).parent / 'bpe_simple_vocab_16e6.txt.gz'
PARTS = [
    'the', 'red', 'Circle', 'left', "man's", "I'll", "they'Re", 'naïve', 'Zürich', 'e\u0301te\u0301', 'İstanbul',
    'ſ', "'ſ", '大きい赤い丸', '红色的圆', '빨간', 'ＬＯＵＤ', 'ﾀｰﾝ', 'красный', 'ὈΔΥΣΣΕΎΣ', 'दिल', 'مرحبا',
    '😀', '👩‍👩‍👧', '❤️', '🇩🇪', '“', '”', '‘',
    '’', '‚', '„', 'ﬁ', 'ﬄ', 'ĳ', 'ǆ', 'ŉ',
    '&amp;', '&lt;b&gt;', '&eacute;', '&EACUTE;', '&nTILDE;', '&#x2019;', '&#39;', '&#0;',
    '&amp', '&notit;', '&SZLIG;', '&amp;amp;lt;', '<b>', '<start_of_text>', '<END_OF_TEXT>', '!', '...', '#1', '3.14',
    '²', 'Ⅷ', '½', '_', '/', '\\', '\t', '\n', '\r\n', '\u2028', '\x85',
    '\x00', '\x1b[31m', '\x1c', '\x7f', '\x93', '\x81',
    '\ufeff', '\ufffc', '\u200b', '\u200d', '\xa0', '\u3000', '\ud83d', '\udca9', '\ud83d\udca9', '', 'x' * 700,
    'lefttop' * 40, 'ab' * 90, 'ﾊ\uff9e', '</w>', 'Ġ', '\u0345', '\U0001d173'
]


@pytest.fixture(scope='module')
def pair():
    settings = dict(context_length=400, pad_to_longest=True)
    return CLIPTokenizer(**settings), tokenizers.CLIPTokenizer(vocabulary=VOCABULARY, **settings)


def is_comparable(sentence):
    """Whether it is not mojibake, which is not repaired, and has no character that only a library may know yet."""
    return not (is_bad(html.unescape(sentence)) or is_bad(unescape_html(sentence)) or is_bad(sentence)
                or any(unicodedata.category(character) == 'Cn' for character in sentence))


def compare(pair, sentences):
    theirs, mine = pair
    for sentence in sentences:
        (ids, mask), (own_ids, own_mask) = theirs([sentence]), mine([sentence])
        assert np.array_equal(own_ids, ids.numpy()), ascii(sentence)
        assert np.array_equal(own_mask, mask.numpy()) and own_ids.dtype == np.int64 and own_mask.dtype == np.bool_
        assert mine.decode(own_ids[0], own_mask[0]) == theirs.decode(ids[0], mask[0]), ascii(sentence)


def test_sentences_of_shaperef(pair):
    sentences = set()
    for index in range(40):
        scene = sample_scene(seed=0, split='train', index=index)
        for style in SHAPEREF_STYLES:
            references = refer_to_objects(np.random.default_rng(index), scene, style)
            sentences |= {sentence.text for reference in references for sentence in reference.sentences}
    assert len(sentences) > 300
    compare(pair, sentences)


def test_odd_sentences(pair):
    """Up to eight odd parts after one another, with and without spaces between them."""
    generator = np.random.default_rng(0)
    sentences = [*PARTS]
    while len(sentences) < 4000:
        parts = generator.choice(np.array(PARTS, dtype=object), generator.integers(2, 9))
        sentences.append(''.join(part + ' ' * generator.integers(2) for part in parts))
    compare(pair, filter(is_comparable, sentences))


def test_random_characters(pair):
    """Of the blocks that most languages have, all together, but for what ftfy repairs as mojibake."""
    generator = np.random.default_rng(1)
    blocks = [(0x20, 0x7f), (0, 0x250), (0x2000, 0x2070), (0x300, 0x600), (0x3000, 0x3100), (0xff00, 0xfff0),
              (0x1f300, 0x1f600)]
    sentences = []
    for _ in range(4000):
        begin, end = blocks[generator.integers(len(blocks))]
        sentences.append(''.join(map(chr, generator.integers(begin, end, generator.integers(1, 12)))))
    compare(pair, filter(is_comparable, sentences))


def test_all_entities(pair):
    names = [name for name in html5 if name.endswith(';')]
    compare(pair, filter(is_comparable, [f'a &{form} b' for name in names for form in (name, name.upper())]))


def test_lines_after_a_tag_keep_their_entities(pair):
    """They are unescaped by html.unescape, which needs no semicolon, but not in upper case."""
    compare(pair, ['&EACUTE;\n<b>\n&EACUTE; &eacute', '&EACUTE; <\n&EACUTE;', 'a\n&EACUTE;'])


def test_mojibake_is_not_repaired(pair):
    theirs, mine = pair
    assert theirs.decode(*(part[0] for part in theirs(['cafÃ©']))) == 'café'
    assert mine.decode(*(part[0] for part in mine(['cafÃ©']))) == 'cafã ©'


def test_ids_for_masks(pair):
    """"!" is a word, though its id also pads."""
    mine, theirs = (tokenizer.vocabulary for tokenizer in pair)
    assert mine == theirs and mine.size == 49408 and mine.special == (49406, 49407) and mine.mask is None


def test_lengths_and_a_copy():
    settings = dict(context_length=6)
    theirs, mine = CLIPTokenizer(**settings), tokenizers.CLIPTokenizer(vocabulary=VOCABULARY, **settings)
    sentences = ['', 'man!', 'the man in the red shirt on the left']
    for tokenizer in (mine, pickle.loads(pickle.dumps(mine))):
        for found, expected in zip(tokenizer(sentences), theirs(sentences)):
            assert np.array_equal(found, expected.numpy())


class TestTheFile:

    def read(self, path):
        return tokenizers.CLIPTokenizer(context_length=8, vocabulary=path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='nowhere.gz, the file of byte pairs .* is missing: open_clip has'):
            self.read(tmp_path / 'nowhere.gz')

    def test_cut(self, tmp_path):
        path = tmp_path / 'cut.gz'
        path.write_bytes(VOCABULARY.read_bytes()[:-1000])
        with pytest.raises(ValueError, match='cut.gz is not a whole file of byte pairs, compressed with gzip .*Copy'):
            self.read(path)

    def test_not_compressed(self, tmp_path):
        path = tmp_path / 'plain.txt'
        path.write_bytes(gzip.decompress(VOCABULARY.read_bytes()))
        with pytest.raises(ValueError, match='plain.txt is not a whole file of byte pairs'):
            self.read(path)

    @pytest.mark.parametrize('lines, problem', [('version\na b\nc\n', 'line 3 is not a pair'),
                                                ('version\na b\nc d', 'it has 2 pairs')])
    def test_others(self, tmp_path, lines, problem):
        path = tmp_path / 'other.gz'
        path.write_bytes(gzip.compress(lines.encode()))
        with pytest.raises(ValueError, match=f"other.gz is not the file of CLIP's 48,894 byte pairs: {problem}. Copy"):
            self.read(path)

    def test_read_once(self, tmp_path):
        """The folder may go afterwards."""
        path = Path(shutil.copy(VOCABULARY, tmp_path))
        tokenizer = self.read(path)
        path.unlink()
        assert tokenizer(['man'])[1].sum() == 3
