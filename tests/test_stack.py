"""What an import says where no OpenMMLab stack is installed, a part of one, or both."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mmris import stack
from tests.conftest import ROOT

COMMAND = re.escape(stack.INSTALL_MAINTAINED)


def pretend(monkeypatch, *installed: str) -> None:
    monkeypatch.setattr(stack, '_is_installed', lambda name: name in installed)


@pytest.mark.parametrize('installed', [stack.MAINTAINED_STACK, stack.ORIGINAL_STACK])
def test_one_is_right(monkeypatch, installed):
    pretend(monkeypatch, *installed)
    stack.check_stack()


def test_none(monkeypatch):
    pretend(monkeypatch)
    with pytest.raises(ImportError, match=f'does not find onedl-mmengine, .* Install .* stack: `{COMMAND}`'):
        stack.check_stack()


def test_a_part_of_the_maintained(monkeypatch):
    pretend(monkeypatch, 'onedl-mmengine', 'onedl-mmcv')
    with pytest.raises(ImportError, match=f'does not find onedl-mmsegmentation. Install .* stack: `{COMMAND}`'):
        stack.check_stack()


def test_a_part_of_the_original(monkeypatch):
    """The maintained stack must not be installed over it."""
    pretend(monkeypatch, 'mmengine', 'mmsegmentation', 'mmpretrain')
    uninstall = 'pip uninstall mmengine mmsegmentation mmpretrain'
    with pytest.raises(ImportError, match=f'original OpenMMLab stack without mmcv. .*`{uninstall}`, then `{COMMAND}`'):
        stack.check_stack()


def test_both(monkeypatch):
    pretend(monkeypatch, *stack.MAINTAINED_STACK, 'mmcv', 'onedl-mmpretrain')
    uninstall = 'pip uninstall onedl-mmengine onedl-mmcv onedl-mmsegmentation mmcv onedl-mmpretrain'
    with pytest.raises(ImportError, match=f'two OpenMMLab stacks .* and mmcv. .* both: `{uninstall}`. .*`{COMMAND}`'):
        stack.check_stack()


def test_the_command_is_the_tested_stack():
    """It names the versions of the requirements file, which an installed package has not."""
    lines = (ROOT / 'requirements' / 'maintained_stack.txt').read_text().splitlines()
    assert [line for line in lines if line.startswith('onedl-')] == stack.INSTALL_MAINTAINED.split()[2:]
    for name, version in (requirement.split('==') for requirement in stack.INSTALL_MAINTAINED.split()[2:]):
        assert metadata.version(name) == version


@pytest.mark.parametrize('command', [
    ('-c', 'import mmris.registry'),
    ('-c', 'from mmris.apis import Predictor'),
    ('-c', 'import mmris; import mmseg'),
    ('-m', 'mmris', 'train', 'config.py'),
])
def test_nothing_else_is_needed_to_say_so(tmp_path, command):
    """Where the stack is first needed, an interpreter without any package, not even NumPy, gets the message."""
    output = run_without_packages(tmp_path, *command).stderr
    assert f'mmris needs an OpenMMLab stack, and does not find {", ".join(stack.MAINTAINED_STACK)}.' in output


@pytest.mark.parametrize('command, expected', [
    (('-c', 'import mmris; print(mmris.list_models("evf-sam"))'), "['evf-sam']"),
    (('-m', 'mmris', 'train', '--help'), 'usage: mmris train'),
])
def test_what_needs_no_stack(tmp_path, command, expected):
    done = run_without_packages(tmp_path, *command)
    assert done.returncode == 0 and expected in done.stdout, done.stderr


def run_without_packages(folder: Path, *command: str) -> subprocess.CompletedProcess:
    (folder / 'mmris').symlink_to(ROOT / 'mmris')
    return subprocess.run([sys.executable, '-S', '-E', *command], cwd=folder, capture_output=True, text=True)
