"""Two-way key maps, on maps small enough to see what must come out."""

import pytest
import torch

from mmris.checkpoints.published import Derived, KeyMap, KeyMapError, Rule, fuse, rename, transpose
from tests.conftest import assert_same

MAP = KeyMap(
    'Toy',
    (
        rename('layer{block}.0.{rest}', 'blocks.{block}.first.{rest}'),
        fuse(('a.{block}.q.{parameter}', 'a.{block}.k.{parameter}'), 'both.{block}.{parameter}'),
        transpose('projection.weight', 'projection'),
    ),
    (
        Derived('width', lambda ours: torch.tensor(len(ours['projection']))),
        Derived('old', lambda ours: torch.arange(3), written=False),
    ))


def theirs():
    return {
        'layer12.0.conv.weight': torch.rand(2, 2),
        'a.3.q.weight': torch.rand(2, 5).half(),
        'a.3.k.weight': torch.rand(2, 5).half(),
        'a.3.q.bias': torch.rand(2),
        'a.3.k.bias': torch.rand(2),
        'projection.weight': torch.rand(4, 3),
        'width': torch.tensor(3),
    }


def test_to_ours():
    given = theirs()
    ours = MAP.to_ours(given, 'toy.pt')
    assert sorted(ours) == ['blocks.12.first.conv.weight', 'both.3.bias', 'both.3.weight', 'projection']
    assert ours['both.3.weight'].dtype == torch.float16
    assert torch.equal(ours['both.3.weight'][:2], given['a.3.q.weight'])
    assert torch.equal(ours['both.3.weight'][2:], given['a.3.k.weight'])
    assert torch.equal(ours['projection'], given['projection.weight'].T) and ours['projection'].is_contiguous()


def test_there_and_back():
    given = theirs()
    back = MAP.to_theirs(MAP.to_ours({**given, 'old': torch.arange(3)}, 'toy.pt'), 'toy.pt')
    assert sorted(back) == sorted(given)
    for key, value in given.items():
        assert back[key].dtype == value.dtype and torch.equal(back[key], value), key
    # A view of the fused tensor would bring all of it into a file.
    assert back['a.3.q.weight'].untyped_storage().nbytes() == back['a.3.q.weight'].nbytes


@pytest.mark.parametrize('change, message', [
    (dict(extra=1, **{'layer1.conv': 1}), r'no rule knows: extra, layer1\.conv\.$'),
    ({'a.3.4.q.weight': 1}, r'no rule knows: a\.3\.4\.q\.weight\.$'),
    ({'a.4.q.weight': 1, 'a.3.k.bias': None}, r'missing beside others: a\.3\.k\.bias, a\.4\.k\.weight\.$'),
])
def test_keys_that_do_not_come_out_even(change, message):
    state = {**theirs(), **{key: torch.rand(2, 5) for key, value in change.items() if value}}
    state = {key: value for key, value in state.items() if change.get(key, 1) is not None}
    with pytest.raises(KeyMapError, match=r"toy.pt: from Toy's layout to ours, keys do not come out even: " + message):
        MAP.to_ours(state, 'toy.pt')


def test_left_over_on_our_side():
    with pytest.raises(KeyMapError, match="ours.pt: from our layout to Toy's, .* no rule knows: neck.weight"):
        MAP.to_theirs({**MAP.to_ours(theirs(), 'toy.pt'), 'neck.weight': torch.rand(1)}, 'ours.pt')


def test_two_keys_become_one():
    both = KeyMap('Toy', (rename('a', 'c'), rename('b', 'c')))
    with pytest.raises(KeyMapError, match='made from several keys: c'):
        both.to_ours(dict(a=torch.rand(1), b=torch.rand(1)), 'toy.pt')


@pytest.mark.parametrize('key, value, message', [
    ('a.3.q.weight', torch.rand(2, 5), r'a.3.k.weight, a.3.q.weight: one shape and type were expected, not \(2, 5\) of '
     r'torch.float32, \(2, 5\) of torch.float16'),
    ('a.3.q.bias', torch.rand(3), r'one shape and type were expected, not \(3\) of'),
    ('projection.weight', torch.rand(3), r'projection.weight: a matrix was expected, not the shape \(3\)'),
    ('width', torch.tensor(7), 'toy.pt: width is 7, but the other weights say 3'),
    ('old', torch.arange(1, 4), r'old is \[1, 2, 3\], but the other weights say \[0, 1, 2\]'),
])
def test_values_that_cannot_be(key, value, message):
    with pytest.raises(KeyMapError, match=message):
        MAP.to_ours({**theirs(), key: value}, 'toy.pt')


def test_parts_of_unequal_size():
    with pytest.raises(KeyMapError, match=r'both.0.bias: 2 equal parts were expected, not the shape \(5\)'):
        MAP.to_theirs({'both.0.bias': torch.rand(5)}, 'ours.pt')


def test_what_is_derived_needs_the_others():
    with pytest.raises(KeyMapError, match="width follows from 'projection', which is missing"):
        MAP.to_theirs({}, 'ours.pt')


def test_prefixes():
    rule = rename('x.{rest}', 'y.{rest}').under('left.{side}.', 'right.{side}.')
    assert list(KeyMap('Toy', (rule, )).to_ours({'left.0.x.a.b': torch.rand(1)}, 'toy.pt')) == ['right.0.y.a.b']


def test_names_of_a_rule_are_the_same_on_both_sides():
    with pytest.raises(ValueError, match='keys of a rule hold different names in braces'):
        rename('x.{block}', 'y.{rest}')
    with pytest.raises(ValueError, match='different names in braces'):
        Rule(('x.{block}', 'z'), ('y.{block}', ), list, list)


def test_a_rule_whose_last_key_may_be_missing():
    """Of ours: written from and read to one tensor or two."""
    split = Rule(('a', ), ('b', 'c'), lambda tensors: list(tensors[0].split(2)),
                         lambda tensors: [torch.cat(tensors)], optional=1)
    toy = KeyMap('Toy', (split, ))
    for length in (2, 4):
        state = dict(a=torch.rand(length))
        ours = toy.to_ours(state, 'toy.pt')
        assert list(ours) == ['b', 'c'][:length // 2]
        assert_same(toy.to_theirs(ours, 'toy.pt'), state)
    with pytest.raises(KeyMapError, match='missing beside others: b'):
        toy.to_theirs(dict(c=torch.rand(2)), 'toy.pt')


def test_a_tensor_that_ours_may_lack():
    toy = KeyMap('Toy', (rename('{rest}', '{rest}'), ),
                         defaults=dict(scale=lambda ours: 2 * ours['weight']))
    assert toy.to_theirs(dict(weight=torch.ones(1)), 'toy.pt')['scale'].item() == 2
    assert toy.to_theirs(dict(weight=torch.ones(1), scale=torch.ones(1)), 'toy.pt')['scale'].item() == 1
    with pytest.raises(KeyMapError, match="toy.pt: scale follows from 'weight', which is missing"):
        toy.to_theirs({}, 'toy.pt')
