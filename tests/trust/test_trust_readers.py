"""While any file is read of which a test has an example, nothing of it is run, and nothing is written or contacted."""

import json

import pytest

from mmris.checkpoints import PUBLISHED
from mmris.datasets.readers.forms import FORMS
from tests.conftest import ROOT
from tests.trust.scene import Scene
from tests.trust.watching import SCENE

LAYOUTS = {layout.key_map.name for model in PUBLISHED.values() for layout in model.layouts}
# By what is read: the tests that read it, and what they must have read by name.
READERS = dict(
    data=(['tests/datasets/readers', 'tests/datasets/test_plain_pickle.py'], set(FORMS)),
    files_of_weights=(['tests/checkpoints/files'], set()),
    # A few tests of each layout: all of them take five minutes.
    layouts_of_weights=(['tests/checkpoints/published', 'tests/models/test_published_part.py', '-k',
                         'core_is_in_each or every_form_fills or of_timm or test_reading or there_and_back and not '
                         '(safetensors or shards or Command or vit-l)'], LAYOUTS),
    images_words_and_exports=(['tests/images', 'tests/tokenizers', 'tests/runtime'], set()),
)


def watch(scene: Scene, *arguments: str) -> str:
    """Run tests that are watched; what pytest prints."""
    return scene.run('-m', 'pytest', '-q', '-m', 'not slow', '-p', 'tests.trust.watching', '-p', 'no:cacheprovider',
                     *arguments, folder=ROOT, timeout=1800, **{SCENE: str(scene.folder)})


@pytest.mark.slow
@pytest.mark.parametrize('kind', READERS)
def test_nothing_but_reading(tmp_path, kind):
    tests, wanted = READERS[kind]
    scene = Scene(tmp_path)
    watch(scene, *tests)
    assert not scene.violations(), '\n\n'.join(map(str, scene.violations()))
    assert wanted <= set(json.loads((tmp_path / 'read.json').read_text()))


def test_the_watch_sees_mmris_and_not_the_tests(tmp_path):
    """A test that reads a file by its own means is none of its business; the same by mmris is."""
    program = tmp_path / 'test_planted.py'
    program.write_text('''
import runpy
from pathlib import Path
from mmris.command_line import groups

PROGRAM = Path(__file__).with_name('program.py')

def test_of_its_own():
    runpy.run_path(str(PROGRAM))

def test_by_mmris(monkeypatch):
    monkeypatch.setattr(groups, 'find_tools', lambda: dict(program=PROGRAM))
    groups.load_tool('program')
''')
    (tmp_path / 'program.py').write_text('"""Runs."""\nadd_arguments = None\n')
    scene = Scene(tmp_path / 'scene')
    watch(scene, str(program), '-c', str(ROOT / 'pytest.ini'), '--rootdir', str(ROOT))
    found = scene.violations()
    assert {(one.event, one.what) for one in found} == {
        ('compile', str(tmp_path / 'program.py')), ('exec', str(tmp_path / 'program.py'))}
    assert all('test_by_mmris' in ''.join(one.stack) for one in found)
