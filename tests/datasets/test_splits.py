"""Splits by name, against the rule of the original reader."""

from itertools import product

import pytest

from mmris.datasets.splits import is_in_split, list_splits
from mmris.registry import DATASETS
from tests.conftest import edit_refs

NAMES = ('train', 'val', 'test', 'testA', 'testB', 'testC', 'testAB', 'testBC', 'testAC', 'testABC')


def original(of_ref, split):
    """refer.py's getRefIds, written out."""
    if split in ('testA', 'testB', 'testC'):
        return split[-1] in of_ref
    if split == 'test':
        return 'test' in of_ref
    return of_ref == split


@pytest.mark.parametrize('of_ref, split', product(NAMES, NAMES))
def test_as_in_the_original_reader(of_ref, split):
    assert is_in_split(of_ref, split) == original(of_ref, split)


@pytest.mark.parametrize('of_ref, split, expected', [
    ('trainA', 'testA', False),
    ('latest', 'test', False),
    ('test_2', 'test', False),
    ('val', 'validation', False),
    ('my split', 'my split', True),
])
def test_names_of_ones_own_stand_for_themselves(of_ref, split, expected):
    assert is_in_split(of_ref, split) == expected


def test_what_one_can_ask_for():
    assert list_splits(['val', 'testAB', 'train', 'mine', 'testC']) == [
        'train', 'val', 'testA', 'testB', 'testC', 'mine', 'testAB'
    ]


def test_a_ref_of_two_splits(refer_set):

    def change(refs):
        for ref, split in zip(refs, ['testA', 'testB', 'testAB', 'testBC', 'train']):
            ref['split'] = split

    edit_refs(refer_set, change)

    def refs_of(split):
        dataset = DATASETS.build(
            dict(type='RefCOCODataset', split=split, refs_file='refs(unc).p', data_root=str(refer_set)))
        return {ref for info in dataset for ref in info['ref_ids']}

    assert refs_of('testA') == {1, 3} and refs_of('testB') == {2, 3, 4} and refs_of('testC') == {4}
    assert refs_of('test') == {1, 2, 3, 4} and refs_of('testAB') == {3} and refs_of('train') == {5}
