"""Each reader takes its seeds and what once broke it; then some seconds of fuzzing."""

import subprocess
import sys

import pytest

from mmris.datasets.plain_pickle import load_plain_pickle
from tests.conftest import ROOT
from tests.fuzzing.judging import fault_of, judge
from tests.fuzzing.running import PAST


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-m', 'tests.fuzzing', *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_seeds_and_past_finds(tmp_path):
    done = run('--seeds', '--corpus', str(tmp_path))
    found = '\n'.join(path.read_text() for path in tmp_path.glob('finds/*/*.txt'))
    assert done.returncode == 0, f'{found}\n{done.stderr[-2000:]}'
    for folder in PAST.iterdir():
        assert f'| {folder.name} ' in done.stdout


@pytest.mark.slow
def test_some_seconds_of_each_target(tmp_path):
    pytest.importorskip('atheris')
    done = run('--seconds', '1', '--jobs', '2', '--corpus', str(tmp_path))
    found = '\n'.join(path.read_text() for path in tmp_path.glob('finds/*/*.txt'))
    assert done.returncode == 0, f'{found}\n{done.stderr[-2000:]}'
    assert '| plain_pickle ' in done.stdout


class TestJudging:
    """Faults must be seen, else no find is ever told."""

    @pytest.mark.parametrize('read, kind', [
        (lambda content: content.decode('ascii'), 'UnicodeDecodeError'),
        (lambda content: {}['key'], 'KeyError'),
        (lambda content: int('x'), 'ValueError from below'),
        (lambda content: sys.exit(1), 'SystemExit'),
        (lambda content: open('/no/such/file'), 'FileNotFoundError does not name the file'),
    ])
    def test_faults(self, read, kind):
        assert judge(read, b'\xff', ['/tmp/folder'])[0].startswith(kind)

    def test_ours(self, tmp_path):
        path = tmp_path / 'refs.p'
        path.write_bytes(b'no pickle')
        with pytest.raises(ValueError) as error:
            load_plain_pickle(path)
        assert fault_of(error.value, [str(tmp_path)]) is None
        assert fault_of(error.value, ['another'])[0].startswith('ValueError does not name the file (plain_pickle.py:')

    def test_right_results(self):
        assert judge(len, b'abc', ['x']) is None
