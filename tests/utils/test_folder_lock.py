"""A folder that one run at a time writes to."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmris.utils.folder_lock import LOCK, FolderInUseError, hold_folder
from tests.conftest import ROOT

HOLD = """
import sys, time, os
from mmris.utils.folder_lock import hold_folder
with hold_folder(sys.argv[1], print):
    begun = os.pipe()
    if os.fork() == 0:
        os.write(begun[1], b'.')
        time.sleep(60)
    # What the child inherited is closed when its first line runs, which may be later than the next one here.
    os.read(begun[0], 1)
    print('held', flush=True)
    time.sleep(60)
"""


def fail(text: str) -> None:
    pytest.fail(text)


def test_it_names_who_has_it_and_ends_with_the_process(tmp_path):
    folder = tmp_path / 'work'
    holder = subprocess.Popen([sys.executable, '-c', HOLD, folder], cwd=ROOT, stdout=subprocess.PIPE,
                              start_new_session=True)
    try:
        assert holder.stdout.readline() == b'held\n'
        with pytest.raises(FolderInUseError) as caught, hold_folder(folder, fail):
            pass
        message = f'Another run is writing to {folder}: process {holder.pid} on {socket.gethostname()}. Wait until'
        assert message in str(caught.value)
        # Its child, as a data worker that is orphaned for a moment, does not keep the folder.
        holder.kill()
        holder.wait()
        with hold_folder(folder, fail):
            assert json.loads((folder / LOCK).read_text())['pid'] == os.getpid()
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.close()
    assert list(folder.iterdir()) == []


def test_twice_in_one_process(tmp_path):
    with hold_folder(tmp_path, fail):
        with pytest.raises(FolderInUseError), hold_folder(tmp_path, fail):
            pass
    with hold_folder(tmp_path, fail):
        pass


def test_without_locks(tmp_path, monkeypatch):

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, 'flock', refuse)
    said = []
    with hold_folder(tmp_path, said.append):
        assert said[0].startswith(f'The file system of {tmp_path} has no locks ([Errno')
        assert said[0].endswith('nothing keeps a second run out of this folder. Start none.')


def test_a_file_that_a_killed_run_left(tmp_path):
    Path(tmp_path / LOCK).write_text('{')
    with hold_folder(tmp_path, fail):
        pass
    assert not (tmp_path / LOCK).exists()
