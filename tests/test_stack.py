"""What an import says where no OpenMMLab stack is installed, a part of one, or both."""

import re
import subprocess
import sys
from importlib import metadata

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


def test_nothing_else_is_needed_to_say_so(tmp_path):
    """An interpreter without any package, not even NumPy, gets the message."""
    (tmp_path / 'mmris').symlink_to(ROOT / 'mmris')
    command = [sys.executable, '-S', '-E', '-c', 'import mmris']
    output = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True).stderr
    assert f'mmris needs an OpenMMLab stack, and does not find {", ".join(stack.MAINTAINED_STACK)}.' in output
