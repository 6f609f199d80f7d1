"""Parts of configs, and how two differ."""

import pytest
from mmengine.config import Config

from mmris.utils.config_comparison import compare, flatten, get_part

MODEL = dict(type='A', branches=dict(one=dict(ratio=0.3)), taps=(1, 2), steps=[dict(type='X'), dict(type='Y', size=4)])


@pytest.fixture
def config() -> Config:
    return Config(dict(model=MODEL, extra={}))


def test_parts(config):
    assert get_part(config, 'model.branches') == dict(one=dict(ratio=0.3))
    assert get_part(config, 'model.steps.1.size') == 4
    assert tuple(get_part(config, 'model.taps')) == (1, 2)


@pytest.mark.parametrize('key, text', [
    ('modle', 'The config has no modle. There are model, extra.'),
    ('model.branches.two', 'model.branches has no two. There are one.'),
    ('model.steps.2', 'model.steps has no 2. There are 0, 1.'),
    ('model.type.x', "model.type has no x. It is 'A'."),
])
def test_a_part_that_is_not_there(config, key, text):
    with pytest.raises(ValueError) as error:
        get_part(config, key)
    assert str(error.value) == text


def test_flat_keys():
    assert flatten(dict(model=MODEL, extra={})) == {
        'model.type': 'A', 'model.branches.one.ratio': 0.3, 'model.taps': (1, 2), 'model.steps.0.type': 'X',
        'model.steps.1.type': 'Y', 'model.steps.1.size': 4, 'extra': {}
    }


def test_differences():
    other = dict(MODEL, branches=dict(one=dict(ratio=0.5)), taps=(1, ), steps=[dict(type='X')])
    assert compare(MODEL, dict(other, new=None), 'model') == [
        '  model.branches.one.ratio: 0.3 -> 0.5', '  model.taps: (1, 2) -> (1,)', "- model.steps.1.type: 'Y'",
        '- model.steps.1.size: 4', '+ model.new: None'
    ]
    assert compare(MODEL, MODEL) == []
