"""Whole words of a small vocabulary."""

from functools import partial

import numpy as np
import pytest
import torch

from mmris.datasets import WordTokenizer
from mmris.datasets.shaperef import STYLES
from mmris.datasets.shaperef.phrasing import refer
from mmris.datasets.shaperef.references import refer_to_objects, replace_some
from mmris.datasets.shaperef.scene import sample_scene
from mmris.registry import TRANSFORMS
from tests.datasets.tokenizer_checks import check_odd_text, check_padding_to_the_longest, check_workers

SPECIAL = ['[PAD]', '[UNK]', '[BEGIN]', '[END]']


def write(path, words=('the', 'red', 'circle', "'", 's', '象'), special=tuple(SPECIAL)):
    path.write_text('\n'.join([*special, *words]) + '\n', encoding='utf-8')
    return path


@pytest.fixture
def tokenizer(tmp_path):
    return WordTokenizer(context_length=7, vocabulary=write(tmp_path / 'words.txt'))


def test_by_hand(tokenizer):
    ids, mask = tokenizer(['The RED circle', "the circle's dog", '', 'red ' * 9, '[PAD] 象'])
    assert ids.tolist() == [[2, 4, 5, 6, 3, 0, 0], [2, 4, 6, 7, 8, 1, 3], [2, 3, 0, 0, 0, 0, 0], [2, 5, 5, 5, 5, 5, 3],
                            [2, 1, 1, 1, 9, 3, 0]]
    assert mask.sum(dim=1).tolist() == [5, 7, 2, 7, 6] and ids.dtype == torch.int64 and mask.dtype == torch.bool
    assert tokenizer.decode(ids[1], mask[1]) == "the circle ' s [UNK]"


def test_odd_text_and_workers(tokenizer):
    check_odd_text(tokenizer)
    check_workers(tokenizer, ['the red circle', ''])
    check_padding_to_the_longest(partial(WordTokenizer, vocabulary='shaperef'), 'the red circle on the left')


def test_the_vocabulary_of_shaperef():
    """It has each word of the style that it is for, and no other; few sentences are cut in the config's context."""
    words, lengths = set(), []
    for index in range(600):
        scene, generator = sample_scene(seed=1, split='train', index=index), np.random.default_rng(index)
        for number in range(len(scene.objects)):
            for sentence in refer(generator, scene, number, 'refcoco', 3):
                words.update(sentence.text.split())
                lengths.append(len(sentence.text.split()))
    tokenizer = TRANSFORMS.build(dict(type='mmris.WordTokenizer', context_length=12, vocabulary='shaperef'))
    ids, _ = tokenizer(sorted(words))
    assert sorted(set(ids[:, 1].tolist())) == list(range(4, 48)) and len(words) == 44
    assert 0 < np.mean(np.array(lengths) > 10) < 0.01


@pytest.mark.slow
def test_the_vocabulary_of_all_sentences_of_shaperef():
    """It has the words of all styles, and of sentences that fit nothing or several. Old words keep their ids."""
    words = set()
    for index in range(200):
        scene, generator = sample_scene(seed=1, split='testB', index=index), np.random.default_rng(index)
        for style in STYLES:
            references = refer_to_objects(generator, scene, style)
            for one in [*references, *replace_some(generator, scene, style, references, 0.2, 0.8)]:
                words.update(word for sentence in one.sentences for word in sentence.text.split())
    small, full = (WordTokenizer(context_length=3, vocabulary=name) for name in ('shaperef', 'shaperef_full'))
    ids, _ = full(sorted(words))
    assert sorted(ids[:, 1].tolist()) == list(range(4, 72))
    old, _ = small(sorted(words))
    known = old[:, 1] != WordTokenizer.UNKNOWN
    assert known.sum() == 44 and torch.equal(old[known], ids[known])


@pytest.mark.parametrize('words, special, message', [
    ((), SPECIAL[:3], r'its first lines are not \[PAD\], \[UNK\], \[BEGIN\], \[END\]'),
    (('red', 'Red'), SPECIAL, "has the line 'Red': write one word a line, in lower case"),
    (('red circle', ), SPECIAL, "has the line 'red circle': write one word a line"),
    (('red', '', 'circle'), SPECIAL, "has the line '': write one word a line"),
    (('red', 'circle', 'red'), SPECIAL, "has the word 'red' more than once"),
])
def test_vocabularies_that_are_refused(tmp_path, words, special, message):
    with pytest.raises(ValueError, match=f'words.txt .*{message}'):
        WordTokenizer(context_length=7, vocabulary=write(tmp_path / 'words.txt', words, special))


def test_other_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere, the vocabulary .* nor one of the package's vocabularies "
                       r"\('shaperef', 'shaperef_full'\). Set `vocabulary` of the tokenizer"):
        WordTokenizer(context_length=7, vocabulary='nowhere')
    (tmp_path / 'bytes.txt').write_bytes(b'\xff\xfe\xfa')
    with pytest.raises(ValueError, match='bytes.txt is not a vocabulary of words: it is no text in UTF-8'):
        WordTokenizer(context_length=7, vocabulary=tmp_path / 'bytes.txt')
    with pytest.raises(ValueError, match=r'context_length must be at least 2, for \[BEGIN\] and \[END\], but got 1'):
        WordTokenizer(context_length=1, vocabulary='shaperef')
