"""BERT's word pieces, over a small vocabulary, against the tokenizer that BERT's and ViLT's weights are used with."""

import os
from functools import partial

import pytest
import torch
from transformers import BertTokenizer

from mmris.datasets import WordPieceTokenizer
from mmris.registry import TRANSFORMS
from tests.datasets.tokenizer_checks import check_odd_text, check_padding_to_the_longest, check_workers

SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
WORDS = [
    'the', 'man', 'woman', 'red', 'bus', 'left', 'of', 'on', 'top', 'circle', 'elephant', 'naive', 'blue', 'cat', 'sep',
    'cls', 'pad', 'un', '##known', '##able', '##s', '##ing', 'walk', 'strasse', 'ß', 'i', '2', '##nd', '象', '子',
    "'", '.', ',', '!', ':', '#', '(', ')', '-', '[', ']', '/', '$', '¿', '。', 'x', '##x', 'o', '##o', 'é', '½', '☃'
]
SENTENCES = [
    'the red circle',
    'Woman in BLUE, left of the bus!',
    'walking cats',
    'unknown unable untold',
    '  two   spaces  ',
    'man\tat the top\nright',
    'Éléphant naïve ÉLÉPHANT e\u0301le\u0301phant',
    '象 on the 象子bus左',
    "the man's 2nd bus: #2 (left)",
    'red-blue/cat $2 ¿the man?。',
    'Straße STRASSE İ ½ ﬁrst ☃ ☃☃',
    'a \u0000zero, a \ufffd, a \u200bzero width, soft\u00adhyphen, \u00a0hard\u3000space, \u2028line',
    'x' * 100 + ' ' + 'x' * 101 + ' ' + 'xo' * 60,
    '🐈 cat',
    '',
    ' ',
    'the man left of the woman on the bus on top of the red circle on the left of the blue elephant on the bus',
]


def published_pieces(words=tuple(WORDS)):
    """As many pieces as BERT has, special ones and some others where BERT has them, and words between them."""
    pieces = [f'[unused{number}]' for number in range(30522)]
    places = {0: '[PAD]', 100: '[UNK]', 101: '[CLS]', 102: '[SEP]', 103: '[MASK]', 1996: 'the', 30521: '##～'}
    for place, piece in places.items():
        pieces[place] = piece
    pieces[200:200 + len(words)] = [word for word in words if word != 'the'] + ['[unused]'] * ('the' in words)
    return pieces


def write_vocabulary(path, pieces=None):
    path.write_text('\n'.join(published_pieces() if pieces is None else pieces) + '\n', encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def vocabulary(tmp_path_factory):
    return write_vocabulary(tmp_path_factory.mktemp('vocabulary') / 'vocab.txt')


class TestAgainstBert:

    def test_ids_for_masks(self, vocabulary):
        theirs = BertTokenizer(str(vocabulary))
        mine = WordPieceTokenizer(context_length=9, vocabulary=vocabulary).vocabulary
        assert mine.mask == theirs.mask_token_id == 103 and mine.size == len(theirs) == 30522
        assert sorted(mine.special) == sorted(theirs.all_special_ids) == [0, 100, 101, 102, 103]

    @pytest.mark.parametrize('length', [3, 8, 40])
    def test_ids_and_mask(self, vocabulary, length):
        theirs = BertTokenizer(str(vocabulary))(
            SENTENCES, max_length=length, truncation=True, padding='max_length', return_tensors='pt')
        ids, mask = WordPieceTokenizer(context_length=length, vocabulary=vocabulary)(SENTENCES)
        assert ids.dtype == torch.int64 and mask.dtype == torch.bool
        for sentence, mine, other in zip(SENTENCES, ids, theirs['input_ids']):
            assert torch.equal(mine, other), sentence
        assert torch.equal(mask, theirs['attention_mask'].bool())

    @pytest.mark.parametrize('length', [2, 3, 8, 20])
    def test_ids_that_are_cut_with_their_end(self, vocabulary, length):
        """As LAVT's code does: all ids of a sentence, the first 20 of them, and zeros."""
        theirs = [BertTokenizer(str(vocabulary)).encode(one, add_special_tokens=True)[:length] for one in SENTENCES]
        ids, mask = WordPieceTokenizer(context_length=length, vocabulary=vocabulary, keep_end=False)(SENTENCES)
        for sentence, mine, its_mask, other in zip(SENTENCES, ids, mask, theirs):
            padding = (length - len(other)) * [0]
            assert mine.tolist() == other + padding, sentence
            assert its_mask.tolist() == len(other) * [True] + len(padding) * [False]
        assert {102 in one for one in theirs} == {True, False} or length == 2

    def test_the_sentences_show_what_they_are_meant_to(self, vocabulary):
        """Some are cut, some padded; words are in pieces, unknown and too long; neither case nor accents tell."""
        tokenizer = WordPieceTokenizer(context_length=20, vocabulary=vocabulary)
        ids, mask = tokenizer(SENTENCES)
        lengths = mask.sum(dim=1)
        assert lengths.min() == 2 and (lengths == 20).any() and (ids[~mask] == 0).all()
        assert [tokenizer.decode(*row) for row in zip(*tokenizer(['walking', 'Éléphant', 'untold', '象子']))] == [
            'walking', 'elephant', '[UNK]', '象 子'
        ]
        words = [tokenizer(['x' * count])[0][0, 1] for count in (100, 101)]
        assert words[0] != 100 and words[1] == 100

    def test_files_of_other_systems(self, vocabulary, tmp_path):
        other = tmp_path / 'vocab.txt'
        other.write_bytes(b'\xef\xbb\xbf' + vocabulary.read_bytes().replace(b'\n', b'\r\n'))
        first, second = (WordPieceTokenizer(context_length=20, vocabulary=one) for one in (vocabulary, other))
        assert torch.equal(first(SENTENCES)[0], second(SENTENCES)[0])

    def test_decoding(self, vocabulary):
        mine, theirs = WordPieceTokenizer(context_length=40, vocabulary=vocabulary), BertTokenizer(str(vocabulary))
        known = ['the red circle', 'walking cats on top', 'left, the 2nd!', '']
        for sentence, ids, mask in zip(known, *mine(known)):
            assert mine.decode(ids, mask) == theirs.decode(ids[mask], skip_special_tokens=True) == sentence
        cut, mask = WordPieceTokenizer(context_length=4, vocabulary=vocabulary)(['the man on top'])
        assert mine.decode(cut[0], mask[0]) == 'the man'
        without = WordPieceTokenizer(context_length=4, vocabulary=vocabulary, keep_end=False)
        rows = zip(*without(['the man on top', 'man']))
        assert [without.decode(*row) for row in rows] == ['the man on', 'man']

    def test_special_tokens_cannot_be_written(self, vocabulary):
        """Unlike there: a sentence is what somebody typed."""
        ids, mask = WordPieceTokenizer(context_length=40, vocabulary=vocabulary)(['man [SEP] on [CLS] [PAD] top'])
        pieces = [published_pieces()[number] for number in ids[mask].tolist()]
        assert pieces == '[CLS] man [ sep ] on [ cls ] [ pad ] top [SEP]'.split()


class TestUse:

    def test_as_a_step_of_a_pipeline(self, vocabulary):
        step = TRANSFORMS.build(
            dict(
                type='Tokenize',
                tokenizer=dict(type='WordPieceTokenizer', context_length=20, vocabulary=str(vocabulary))))
        results = step(dict(text=['red bus', 'man']))
        assert results['token_ids'].shape == results['token_mask'].shape == (2, 20)

    def test_no_sentences_and_no_room(self, vocabulary):
        ids, mask = WordPieceTokenizer(context_length=20, vocabulary=vocabulary)([])
        assert ids.shape == mask.shape == (0, 20)
        ids, mask = WordPieceTokenizer(context_length=2, vocabulary=vocabulary)(['red bus', ''])
        assert ids.tolist() == [[101, 102], [101, 102]] and mask.all()

    def test_padding_to_the_longest(self, vocabulary):
        for keep_end in (True, False):
            build = partial(WordPieceTokenizer, vocabulary=vocabulary, keep_end=keep_end)
            check_padding_to_the_longest(build, 'the man on the top')

    def test_odd_text(self, vocabulary):
        check_odd_text(WordPieceTokenizer(context_length=20, vocabulary=vocabulary))

    def test_in_data_workers(self, tmp_path):
        """Forked, and as a copy, where they are started anew. The file may be gone by then."""
        copy = write_vocabulary(tmp_path / 'copy.txt')
        tokenizer = WordPieceTokenizer(context_length=20, vocabulary=copy)
        copy.unlink()
        check_workers(tokenizer, SENTENCES)

    @pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='threads are counted in /proc')
    def test_no_threads(self, vocabulary, monkeypatch):
        """Data workers are one each to a processor; open_clip, once imported, keeps the library from starting any."""
        monkeypatch.setenv('TOKENIZERS_PARALLELISM', 'true')
        before = len(os.listdir('/proc/self/task'))
        WordPieceTokenizer(context_length=20, vocabulary=vocabulary)(SENTENCES * 20)
        assert len(os.listdir('/proc/self/task')) == before


class TestErrors:

    def build(self, path, length=20):
        return WordPieceTokenizer(context_length=length, vocabulary=path)

    def test_length(self, vocabulary):
        with pytest.raises(ValueError, match=r'context_length must be at least 2, for \[CLS\] and \[SEP\], but got 1'):
            self.build(vocabulary, length=1)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            self.build(tmp_path / 'vocab.txt', length=17)
        for part in (f'{tmp_path}/vocab.txt', 'is missing', 'https://huggingface.co/google-bert/bert-base-uncased',
                     'set `vocabulary`', "dict(type='CLIPTokenizer', context_length=17)",
                     'with architecture=dict(vocabulary=49408) of the encoder'):
            assert part in str(error.value)

    @pytest.mark.parametrize('content, problem', [
        (b'', 'it is empty. Fetch it again'),
        (b'\n\n', 'it is empty. Fetch it again'),
        (b'\x80\x04\x95\xff', 'it is no text. Fetch it again'),
        (b'<html>404</html>', r'none of its 1 lines is \[PAD\] or \[UNK\] or \[CLS\] or \[SEP\]. It has a piece a'),
        ('\n'.join(WORDS + SPECIAL[:3]).encode(), r'none of its 55 lines is \[SEP\]'),
        ('\n'.join([*SPECIAL, *WORDS, 'cat']).encode(), "'cat' is in it more than once, .* unsure. Fetch it again"),
    ])
    def test_no_vocabulary(self, tmp_path, content, problem):
        path = tmp_path / 'vocab.txt'
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f'vocab.txt is not a vocabulary of word pieces: {problem}'):
            self.build(path)

    def test_empty_lines_count(self, tmp_path):
        path = write_vocabulary(tmp_path / 'vocab.txt', published_pieces([*WORDS, '', 'dog']))
        path.write_text(path.read_text(encoding='utf-8') + '\n', encoding='utf-8')
        assert self.build(path)(['dog'])[0][0, 1] == published_pieces([*WORDS, '', 'dog']).index('dog')

    def test_of_another_bert(self, tmp_path):
        cased = write_vocabulary(tmp_path / 'cased.txt', published_pieces([*WORDS, '##Dog']))
        with pytest.raises(ValueError, match='cased.txt is .* another BERT than bert-base-uncased: it has pieces in '
                           'upper case, such as ##Dog, and sentences are put in lower case'):
            self.build(cased)
        path = write_vocabulary(tmp_path / 'vocab.txt', [*published_pieces(), 'more'])
        with pytest.raises(ValueError, match='another BERT than bert-base-uncased: it has 30,523 pieces, and that has'):
            self.build(path)

    def test_cut(self, tmp_path):
        path = write_vocabulary(tmp_path / 'vocab.txt', published_pieces()[:-1])
        with pytest.raises(ValueError, match='vocab.txt is not the whole vocabulary of bert-base-uncased: it has '
                           '30,521 of 30,522 pieces. Fetch it again.'):
            self.build(path)

    @pytest.mark.parametrize('change, place', [
        (lambda pieces: pieces.__setitem__(-1, '##'), "30,521 is '##' instead of '##～'"),
        (lambda pieces: pieces.insert(50, pieces.pop(300)), "100 is '[unused99]' instead of '[UNK]'"),
        (lambda pieces: pieces.reverse(), "0 is '##～' instead of '[PAD]'"),
    ])
    def test_other_ids(self, tmp_path, change, place):
        """Cut within its last line, or with its lines in another order: as many pieces, of other numbers."""
        pieces = published_pieces()
        change(pieces)
        path = write_vocabulary(tmp_path / 'vocab.txt', pieces)
        with pytest.raises(ValueError) as error:
            self.build(path)
        assert f'vocab.txt is not the vocabulary of bert-base-uncased: its piece {place}. Fetch it' in str(error.value)
