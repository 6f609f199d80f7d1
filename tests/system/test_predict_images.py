"""Many images on the command line: several processes, and processes that are killed, as a user starts them."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmris.apis.inferencer import Processes
from mmris.datasets.shaperef import make_record
from mmris.utils.launching import destroy_process_group
from tests.conftest import ROOT
from tests.system.test_distributed import family, send

SENTENCES = ['the red circle', 'the star on the left']
TOOL = ROOT / 'tools' / 'predict_images.py'


def make_photos(folder: Path, number: int) -> Path:
    """ShapeRef's scenes, one of them cut off."""
    folder.mkdir()
    for place in range(number):
        (folder / f'{place:03d}.jpg').write_bytes(make_record(1, 'refcoco', 'val', place).jpeg)
    broken = folder / f'{number // 3:03d}.jpg'
    broken.write_bytes(broken.read_bytes()[:700])
    return folder


def read_tree(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def start(processes: int, photos: Path, out: Path, *options: object) -> subprocess.Popen:
    given = ['cm-masksd-shaperef', 'none']
    command = [sys.executable, TOOL, *given]
    if processes > 1:
        command = ['bash', ROOT / 'tools' / 'dist_predict.sh', *given, processes]
    return subprocess.Popen(
        [*map(str, command), str(photos), '--sentences', *SENTENCES, '--out', str(out), *map(str, options)],
        env=dict(os.environ, PYTHON=sys.executable, MASTER_PORT=str(free_port()), OMP_NUM_THREADS='1', MMRIS_DEBUG='0'),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)


def run(*arguments: object) -> str:
    process = start(*arguments)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 1, said
    return said


def count_finished(out: Path) -> int:
    return sum(path.read_bytes().count(b'\n') for path in (out / 'parts').glob('*.jsonl'))


def kill_at(finished: int, process: subprocess.Popen, out: Path) -> None:
    """Kill all processes of a run as soon as so many images are finished."""
    deadline = time.monotonic() + 300
    while count_finished(out) < finished:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.01)
    send(family(process.pid), signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_two_processes_that_are_killed(tmp_path):
    """200 images, one of them broken: the end has the bytes of one process that nobody stopped."""
    photos = make_photos(tmp_path / 'photos', 200)
    said = run(1, photos, tmp_path / 'whole', '--batch-size', 4)
    assert '398 answers about 199 images, ' in said
    assert '\n1 of 200 images could not be read:\n  066.jpg: ' in said
    assert '066.jpg is not a whole image file' in said
    expected, out = read_tree(tmp_path / 'whole'), tmp_path / 'out'
    assert len(expected) == 4 + 199 * 3
    kill_at(80, start(2, photos, out, '--batch-size', 4), out)
    kept = count_finished(out)
    assert 80 <= kept < 200 and not (out / 'predictions.json').exists()
    # With one process more, and killed again.
    kill_at(kept + 20, start(3, photos, out, '--batch-size', 4), out)
    said = run(2, photos, out, '--batch-size', 4)
    assert '398 answers about 199 images, ' in said and '\n1 of 200 images could not be read:\n' in said
    assert read_tree(out) == expected


@pytest.mark.slow
def test_settings_that_differ(tmp_path):
    """Are told by the process that noticed them, with status 2."""
    photos = make_photos(tmp_path / 'photos', 4)
    run(1, photos, tmp_path / 'out', '--without', 'overlays')
    process = start(2, photos, tmp_path / 'out', '--without', 'overlays', '--threshold', 0.6)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 2 and 'with other settings (settings.json there): threshold: 0.5 -> 0.6.' in said
    assert 'Traceback' not in said


def test_processes_of_slurm(tmp_path, monkeypatch):
    """Find one another by what srun says: here one task of one, which needs no GPU."""
    (tmp_path / 'scontrol').write_text('#!/bin/bash\n[ "$*" = "show hostnames node[1-2]" ] && echo 127.0.0.1\n')
    (tmp_path / 'scontrol').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR'):
        # Set and taken away, so that it is restored to what it was.
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    for name, value in dict(PROCID='0', NTASKS='1', LOCALID='0', NODELIST='node[1-2]').items():
        monkeypatch.setenv(f'SLURM_{name}', value)
    monkeypatch.setenv('MASTER_PORT', str(free_port()))
    try:
        processes = Processes.join('slurm')
        assert (processes.rank, processes.count, processes.own([1, 2, 3])) == (0, 1, [1, 2, 3])
        assert os.environ['MASTER_ADDR'] == '127.0.0.1'
    finally:
        destroy_process_group()


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Run the tool in this process; its output, and its exit status."""

    # Mistakes are told by their message alone, as to a user.
    monkeypatch.setenv('MMRIS_DEBUG', '0')

    def run_tool(*arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), 'cm-masksd-shaperef', 'none', '--device', 'cpu',
                                          *map(str, arguments)])
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as end:
            return capsys.readouterr(), end.code
        return capsys.readouterr(), 0

    return run_tool


def test_command_lines(tmp_path, run_here):
    photos = make_photos(tmp_path / 'photos', 3)
    (tmp_path / 'pairs.csv').write_text('image,sentence,by\n002.jpg,the star,me\n')
    out = tmp_path / 'out'
    given = ['--pairs', tmp_path / 'pairs.csv', '--pairs-folder', photos, '--out', out, '--without', 'overlays']
    said, status = run_here(*given)
    assert status == 0 and f'{out}: 1 answers about 1 images, ' in said.out
    result, = json.loads((out / 'predictions.json').read_text())
    assert (result['file_name'], result['sentence'], result['columns']) == ('002.jpg', 'the star', dict(by='me'))
    assert sorted(one.name for one in out.iterdir()) == ['images.json', 'masks', 'predictions.json', 'records.jsonl',
                                                         'settings.json']
    # Inputs behind options, and a word that the model does not know.
    said, status = run_here('--out', out, '--overwrite', '--sentences', 'the star ' * 9, '--batch-size', 2, photos)
    assert status == 1 and '\n1 of 3 images could not be read:\n  001.jpg: ' in said.out
    assert f'{out}: 2 answers about 2 images, ' in said.out
    assert '1 of 1 sentences is longer than what the model reads, such as "the star the star' in said.out


@pytest.mark.parametrize('given, message', [
    (['photos'], 'one of the arguments --sentences --pairs is required'),
    (['--sentences', 'a'], 'Name inputs with --sentences, or --pairs FILE without inputs'),
    (['photos', '--pairs', 'a.csv'], 'Name inputs with --sentences, or --pairs FILE without inputs'),
    (['photos', '--sentences', 'a', '--pairs-folder', 'b'], '--pairs-folder is about --pairs FILE, which is missing'),
    (['photos', '--sentences', ' '], 'a sentence needs words, but one is empty'),
])
def test_arguments(run_here, given, message):
    said, status = run_here(*given)
    assert status == 2 and message in ' '.join(said.err.split())
