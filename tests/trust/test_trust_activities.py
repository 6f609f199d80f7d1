"""What a user does runs no code of files, starts no process, opens no connection, and writes where it should alone."""

import ast

import pytest

from tests.conftest import ROOT
from tests.trust.scene import Scene

# Read, not imported: each of them would bring its own imports into this process.
NAMES = [
    one.name for one in ast.parse((ROOT / 'tests/trust/activities.py').read_text()).body
    if isinstance(one, ast.FunctionDef) and any(isinstance(two, ast.Call) for two in one.decorator_list)
]
# The others take as long each, and begin with the same.
QUICK = ('reading', )


@pytest.mark.parametrize(
    'name', [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in NAMES])
def test_nothing_beside_what_was_asked(tmp_path, name):
    scene = Scene(tmp_path)
    assert f'{{"done": "{name}"}}' in scene.run('-m', 'tests.trust.activities', name, tmp_path)
    assert not scene.violations(), '\n\n'.join(map(str, scene.violations()))


def test_all_are_there():
    assert set(NAMES) == {'importing', 'reading', 'shared_models', 'predicting', 'web_page', 'training'}
