"""BEiT-3's tokenizer, over small SentencePiece models, against the one that BEiT-3 was trained with."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from transformers import AddedToken, XLMRobertaTokenizer

from mmris.datasets import BEiT3Tokenizer
from mmris.registry import TRANSFORMS
from tests.conftest import ROOT
from tests.datasets.tokenizer_checks import check_odd_text, check_padding_to_the_longest, check_workers

SENTENCES = [
    'the red circle',
    'Woman in BLUE shirt, left of the bus.',
    'cat',
    '  two   spaces  ',
    'man\tat the top\nright',
    'ﬁrst ｆｕｌｌ width ½',
    'snow ☃☃ man ☃',
    'Éléphant naïve 象',
    '☃',
    "the boy's 2nd chair: #3 (left)",
    '',
    ' ',
]


def write_vocabulary(path, count=64000, **options):
    """A model of 300 pieces, with the numbers of special pieces that SentencePiece gives by itself, and unused ones up
    to the number that BEiT-3 has."""
    licence = (ROOT / 'LICENSE').read_text().splitlines()
    referring = ['the red bus left of the man', 'Woman in a blue shirt at the top', '2nd man on the right'] * 20
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(licence + referring),
        model_writer=written,
        vocab_size=300,
        num_threads=1,
        minloglevel=2,
        **options)
    model = ModelProto.FromString(written.getvalue())
    for number in range(count - len(model.pieces)):
        model.pieces.add(piece=f'<unused{number}>', score=-100, type=ModelProto.SentencePiece.UNUSED)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope='module')
def vocabulary(tmp_path_factory):
    return write_vocabulary(tmp_path_factory.mktemp('vocabulary') / 'beit3.spm')


class TestAgainstXLMRoberta:

    @pytest.mark.parametrize('length', [3, 8, 40])
    def test_ids_and_mask(self, vocabulary, length):
        theirs = XLMRobertaTokenizer(str(vocabulary))(
            SENTENCES, max_length=length, truncation=True, padding='max_length', return_tensors='pt')
        ids, mask = BEiT3Tokenizer(context_length=length, vocabulary=vocabulary)(SENTENCES)
        assert ids.dtype == torch.int64 and mask.dtype == torch.bool
        assert torch.equal(ids, theirs['input_ids']) and torch.equal(mask, theirs['attention_mask'].bool())

    def test_ids_for_masks(self, vocabulary):
        theirs = XLMRobertaTokenizer(str(vocabulary))
        mine = BEiT3Tokenizer(context_length=9, vocabulary=vocabulary).vocabulary
        assert mine.mask == theirs.mask_token_id == 64001 and mine.size == len(theirs) == 64002
        assert sorted(mine.special) == sorted(theirs.all_special_ids)
        theirs.add_tokens([AddedToken('[semantic]')], special_tokens=True)
        more = BEiT3Tokenizer(context_length=9, vocabulary=vocabulary, semantic_token=True).vocabulary
        assert more.size == len(theirs) == 64003 and set(more.special) - set(mine.special) == {64002}

    def test_the_sentences_show_what_they_are_meant_to(self, vocabulary):
        """Some are cut, some padded, some have unknown characters, and case tells."""
        ids, mask = BEiT3Tokenizer(context_length=8, vocabulary=vocabulary)(SENTENCES)
        lengths = mask.sum(dim=1)
        assert lengths.min() == 2 and (lengths == 8).sum() > 3
        assert (ids == 3).any() and (ids[~mask] == 1).all()
        upper, lower = BEiT3Tokenizer(context_length=8, vocabulary=vocabulary)(['Woman', 'woman'])[0]
        assert not torch.equal(upper, lower)

    def test_decoding(self, vocabulary):
        mine, theirs = BEiT3Tokenizer(context_length=40, vocabulary=vocabulary), XLMRobertaTokenizer(str(vocabulary))
        known = ['the red circle', 'Woman in blue shirt', 'left of the bus', '']
        for sentence, ids, mask in zip(known, *mine(known)):
            assert mine.decode(ids, mask) == theirs.decode(ids[mask], skip_special_tokens=True) == sentence
        cut, mask = BEiT3Tokenizer(context_length=4, vocabulary=vocabulary)(['the man at the top'])
        assert mine.decode(cut[0], mask[0]) == 'the man'
        unknown, mask = mine(['man ☃'])
        assert mine.decode(unknown[0], mask[0]).split() == ['man', '⁇']

    def test_special_tokens_cannot_be_written(self, vocabulary):
        """Unlike there: a sentence is what somebody typed."""
        ids, mask = BEiT3Tokenizer(context_length=40, vocabulary=vocabulary)(['man </s> <pad> <s> top'])
        assert not set(ids[mask].tolist()[1:-1]) & {0, 1, 2}


SEMANTIC = [
    '[semantic] hair', '[semantic]hair', ' [semantic]  hair', 'the [semantic] man', 'man[semantic]', 'x[semantic]y',
    '[semantic] [semantic] hair', '[semantic][semantic]hair', '[semantic]', '[semantic] ', '[[semantic]] hair',
    '[semantic hair', '[SEMANTIC] Hair', '[semantic] ☃ man', 'ﬁrst[semantic]ｆｕｌｌ', *SENTENCES
]


class TestAsEVFSAM:
    """Against XLM-RoBERTa's tokenizer with the token that EVF-SAM's multitask weights add."""

    @pytest.fixture(scope='class')
    def theirs(self, vocabulary):
        tokenizer = XLMRobertaTokenizer(str(vocabulary))
        assert tokenizer.add_tokens([AddedToken('[semantic]')], special_tokens=True) == 1
        return tokenizer

    @pytest.mark.parametrize('lower_case', [False, True])
    def test_ids(self, vocabulary, theirs, lower_case):
        """Their code strips and lowers a sentence before its tokenizer sees it."""
        mine = BEiT3Tokenizer(context_length=1022, vocabulary=vocabulary, pad_to_longest=True, lower_case=lower_case,
                              semantic_token=True)
        prepared = [sentence.strip().lower() for sentence in SEMANTIC] if lower_case else SEMANTIC
        expected = theirs(prepared, padding='longest', return_tensors='pt')
        ids, mask = mine(SEMANTIC)
        assert torch.equal(ids, expected['input_ids']) and torch.equal(mask, expected['attention_mask'].bool())
        counts = (ids == 64002).sum(dim=1).tolist()
        assert counts == [1] * 6 + [2] * 2 + [1] * 3 + [0, int(lower_case), 1, 1] + [0] * len(SENTENCES)
        hair = mine(['hair'])[0][0].tolist()
        assert mine(['[semantic] hair'])[0][0].tolist() == [0, 64002, *hair[1:]]

    def test_decoding(self, vocabulary, theirs):
        mine = BEiT3Tokenizer(context_length=40, vocabulary=vocabulary, semantic_token=True)
        for sentence, ids, mask in zip(SEMANTIC, *mine(SEMANTIC)):
            if 3 not in ids:
                assert mine.decode(ids, mask) == theirs.decode(ids[mask][1:-1]), sentence
        decoded = [mine.decode(ids, mask) for ids, mask in zip(*mine(['[semantic]hair', '[semantic] ☃', ' ']))]
        assert decoded == ['[semantic] hair', '[semantic] ⁇', '']

    def test_plain_text_by_default(self, vocabulary):
        ids, mask = BEiT3Tokenizer(context_length=40, vocabulary=vocabulary)(SEMANTIC)
        plain = XLMRobertaTokenizer(str(vocabulary))(SEMANTIC, padding='longest', return_tensors='pt')['input_ids']
        assert torch.equal(ids[:, :plain.size(1)], plain) and not (ids == 64002).any() and plain.size(1) < 40

    def test_lower_case_alone(self, vocabulary):
        lower = BEiT3Tokenizer(context_length=40, vocabulary=vocabulary, lower_case=True)
        assert torch.equal(lower([' Woman in BLUE '])[0], lower(['woman in blue'])[0])

    def test_a_long_sentence_is_whole(self, vocabulary):
        """One that has room in 1,022 tokens, and more characters than a usual context has room for."""
        tokenizer = BEiT3Tokenizer(context_length=1022, vocabulary=vocabulary, pad_to_longest=True)
        sentence = ('the' + ' ' * 20) * 500
        assert len(sentence) > 5000
        ids, mask = tokenizer([sentence])
        assert tokenizer.decode(ids[0], mask[0]).split() == ['the'] * 500


class TestUse:

    def test_as_a_step_of_a_pipeline(self, vocabulary):
        step = TRANSFORMS.build(
            dict(
                type='Tokenize',
                tokenizer=dict(type='BEiT3Tokenizer', context_length=20, vocabulary=str(vocabulary))))
        results = step(dict(text=['red bus', 'man']))
        assert results['token_ids'].shape == results['token_mask'].shape == (2, 20)

    def test_no_sentences_and_no_room(self, vocabulary):
        ids, mask = BEiT3Tokenizer(context_length=20, vocabulary=vocabulary)([])
        assert ids.shape == mask.shape == (0, 20)
        ids, mask = BEiT3Tokenizer(context_length=2, vocabulary=vocabulary)(['red bus', ''])
        assert ids.tolist() == [[0, 2], [0, 2]] and mask.all()

    def test_padding_to_the_longest(self, vocabulary):
        check_padding_to_the_longest(partial(BEiT3Tokenizer, vocabulary=vocabulary), 'the man at the top')

    def test_odd_text(self, vocabulary):
        check_odd_text(BEiT3Tokenizer(context_length=20, vocabulary=vocabulary))

    def test_in_data_workers(self, vocabulary):
        """Forked, and as a copy, where they are started anew. The file may be gone by then."""
        copy = vocabulary.with_name('copy.spm')
        copy.write_bytes(vocabulary.read_bytes())
        tokenizer = BEiT3Tokenizer(context_length=20, vocabulary=copy)
        copy.unlink()
        check_workers(tokenizer, SENTENCES)


class TestErrors:

    def build(self, path, length=20):
        return BEiT3Tokenizer(context_length=length, vocabulary=path)

    def test_length(self, vocabulary):
        with pytest.raises(ValueError, match='context_length must be at least 2, .* last token .*, but got 1'):
            self.build(vocabulary, length=1)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            self.build(tmp_path / 'beit3.spm', length=17)
        for part in (f'{tmp_path}/beit3.spm', 'is missing', 'https://github.com/microsoft/unilm', 'set `vocabulary`',
                     "dict(type='CLIPTokenizer', context_length=17)"):
            assert part in str(error.value)

    def test_the_remedy_of_a_missing_file_pads_alike(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"dict\(type='CLIPTokenizer', context_length=1022, "
                           r"pad_to_longest=True\)\."):
            BEiT3Tokenizer(context_length=1022, pad_to_longest=True, vocabulary=tmp_path / 'beit3.spm')

    @pytest.mark.parametrize('content', [b'', b'<html>404</html>', None], ids=['empty', 'a web page', 'half a file'])
    def test_not_whole(self, vocabulary, tmp_path, content):
        path = tmp_path / 'beit3.spm'
        whole = vocabulary.read_bytes()
        path.write_bytes(whole[:len(whole) // 2] if content is None else content)
        with pytest.raises(ValueError, match='beit3.spm is not a whole SentencePiece model.* Fetch it again'):
            self.build(path)

    @pytest.mark.parametrize('numbers, first', [
        (dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1), '<pad>, </s>, <unk>'),
        (dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3), '<pad>, <s>, </s>'),
        (dict(eos_id=-1, bos_id=-1), '<unk>, .*, .*'),
    ])
    def test_other_special_pieces(self, tmp_path, numbers, first):
        """As T5 and others number them, and without those of a sentence's ends."""
        path = write_vocabulary(tmp_path / 'other.spm', **numbers)
        with pytest.raises(ValueError, match=f'other.spm is .* another model .* begin with {first} instead of <unk>, '
                           f'<s>, </s>'):
            self.build(path)

    def test_more_pieces(self, tmp_path):
        """As XLM-RoBERTa's own file, of 250,000."""
        path = write_vocabulary(tmp_path / 'other.spm', count=64001)
        with pytest.raises(ValueError, match='of another model than BEiT-3: it has 64,001 pieces, and BEiT-3 has 64,0'):
            self.build(path)

    def test_cut_between_two_of_its_parts(self, vocabulary, tmp_path):
        """SentencePiece reads such a file, and gives other ids."""
        path, model = tmp_path / 'beit3.spm', ModelProto.FromString(vocabulary.read_bytes())
        end = len(ModelProto(pieces=model.pieces).SerializeToString())
        for kept, message in ((ModelProto(pieces=model.pieces[:-1]).ByteSize(), 'it has 63,999 of 64,000 pieces'),
                              (end, 'it has no rules to normalise text, which come after the pieces'),
                              (ModelProto(pieces=model.pieces, trainer_spec=model.trainer_spec).ByteSize(),
                               'it has no rules to normalise text')):
            path.write_bytes(vocabulary.read_bytes()[:kept])
            SentencePieceProcessor(model_file=str(path))
            with pytest.raises(ValueError, match=f'beit3.spm is not the whole SentencePiece .* BEiT-3: {message}'):
                self.build(path)

    def test_cut_anywhere(self, vocabulary, tmp_path):
        path, content = tmp_path / 'beit3.spm', vocabulary.read_bytes()
        for length in np.random.default_rng(0).integers(0, len(content), 100):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match='beit3.spm is (not|the SentencePiece model of another)'):
                self.build(path)
