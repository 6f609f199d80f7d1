"""How long PyTorch's threads wait awake."""

import os
import re
import subprocess
import sys

import pytest

from mmris.command_line import running
from tests.conftest import ROOT, run_command


def settings_of(**environment):
    """What PyTorch's library of threads has read when a command of mmris runs."""
    code = ('from mmris.utils.cpus import wait_shortly\n'
            'wait_shortly()\n'
            'import torch')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True,
                          env=dict(PATH='', OMP_DISPLAY_ENV='VERBOSE', **environment))
    return dict(re.findall(r"(\w+) = '(.*)'", done.stderr))


@pytest.mark.skipif(sys.platform != 'linux', reason='another library of threads')
@pytest.mark.parametrize('environment, count', [
    (dict(), '10000'), (dict(GOMP_SPINCOUNT='7'), '7'), (dict(OMP_WAIT_POLICY='PASSIVE'), '0')])
def test_it_is_read_by_pytorch(environment, count):
    assert settings_of(**environment)['GOMP_SPINCOUNT'] == count


def test_commands_set_it_before_their_work(monkeypatch):
    monkeypatch.delenv('GOMP_SPINCOUNT', raising=False)
    monkeypatch.setattr(running, 'check_stack', lambda: seen.append(os.environ.get('GOMP_SPINCOUNT')))
    seen = []
    with pytest.raises(FileNotFoundError):
        run_command('print_config', 'none.py')
    assert seen == ['10000']
    monkeypatch.delenv('GOMP_SPINCOUNT')
