"""A mistake ends in its message and status 2, whatever else goes wrong in a traceback."""

import json
import os
import subprocess
import sys
from urllib.error import URLError

import pytest
from mmengine.config import Config

from mmris.registry import MODELS
from mmris.utils.configs import check_inputs, check_text, read_config
from mmris.utils.tool import is_user_error, run_tool
from tests.conftest import ROOT

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'


def caught(action):
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError('nothing was raised')


def no_network():
    raise URLError('no route to host')


MISTAKES = {
    'a file that is not there': (lambda: check_inputs(config='none.py'), 'There is no config none.py.'),
    'a value': (lambda: check_text('split', 'a\nb'), 'The name of the split'),
    'a file that Python finds missing': (lambda: open('/nowhere/at all'), 'No such file'),
    'no network': (no_network, 'no route to host'),
    'a type that is none': (lambda: MODELS.build(dict(type='Nothing')), 'Nothing is not in the mmris::model registry'),
    'an argument that is none': (lambda: MODELS.build(dict(type='CosineHead', chanels=1)), "argument 'chanels'"),
    'a config that is none': (lambda: Config.fromfile('none.txt'), 'none.txt'),
}
FAULTS = {
    'a call with nonsense': lambda: int('x'),
    'an index': lambda: [][0],
    'a key': lambda: {}['a'],
    'within a library': lambda: json.loads('{'),
    'a bug of ours': lambda: read_config(None),
}


@pytest.mark.parametrize('returned, status', [(None, None), (0, None), (1, 1), (2, 2)])
def test_exit_status_of_a_tool(capsys, returned, status):
    try:
        run_tool(lambda: returned)
    except SystemExit as end:
        assert end.code == status is not None
    else:
        assert status is None
    with pytest.raises(KeyError, match='passes'):
        run_tool(lambda: {}['passes'])


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_told_by_its_message(name, monkeypatch, capsys):
    monkeypatch.delenv('MMRIS_DEBUG')
    action, message = MISTAKES[name]
    assert is_user_error(caught(action))
    with pytest.raises(SystemExit) as ended:
        run_tool(action)
    said = capsys.readouterr()
    assert ended.value.code == 2 and message in said.err and not said.out
    assert 'Traceback' not in said.err and said.err.count('\n') == 1


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_of_the_program_is_raised(name, monkeypatch):
    monkeypatch.delenv('MMRIS_DEBUG')
    error = caught(FAULTS[name])
    assert not is_user_error(error)
    with pytest.raises(type(error)):
        run_tool(FAULTS[name])


def test_who_looks_for_the_cause_gets_the_traceback(monkeypatch):
    for value, kind in (('1', FileNotFoundError), ('0', SystemExit), ('', SystemExit)):
        monkeypatch.setenv('MMRIS_DEBUG', value)
        with pytest.raises(kind):
            run_tool(MISTAKES['a file that is not there'][0])


def test_the_first_of_several_processes_has_the_word(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv('MMRIS_DEBUG')
    monkeypatch.setenv('MMRIS_FIRST_ERROR', str(tmp_path / 'first'))
    for name in ('a file that is not there', 'a value'):
        with pytest.raises(SystemExit):
            run_tool(MISTAKES[name][0])
    assert (tmp_path / 'first').read_text() == 'There is no config none.py.\n'
    assert 'The name of the split' in capsys.readouterr().err
    (tmp_path / 'first').unlink()
    with pytest.raises(ValueError):
        run_tool(FAULTS['a call with nonsense'])
    assert 'Traceback' in (tmp_path / 'first').read_text()


@pytest.mark.parametrize('command, last', [
    (['bash', 'tools/dist_train.sh', 'none.py', '2'], 'There is no config none.py.'),
    (['bash', 'tools/dist_test.sh', CONFIG, 'none.pth', '1'], 'There is no checkpoint none.pth.'),
    ([sys.executable, 'tools/train.py', CONFIG, '--cfg-options', 'train_datalaoder.batch_size=3'],
     'To set it all the same, write +train_datalaoder.batch_size=...'),
])
def test_commands_end_with_the_message(command, last):
    environment = dict(os.environ, PYTHON=sys.executable, MASTER_PORT='29731', OMP_NUM_THREADS='1')
    del environment['MMRIS_DEBUG']
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stderr.endswith(f'{last}\n') and 'Traceback' not in done.stderr


def test_an_interruption_ends_in_one_line(monkeypatch, capsys):

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setenv('MMRIS_DEBUG', '0')
    with pytest.raises(SystemExit) as ended:
        run_tool(interrupt)
    assert ended.value.code == 130 and capsys.readouterr().err == 'Interrupted.\n'
    monkeypatch.setenv('MMRIS_DEBUG', '1')
    with pytest.raises(KeyboardInterrupt):
        run_tool(interrupt)
