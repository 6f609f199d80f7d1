"""Downloads from a server of this machine: continued, begun anew, refused, and without a network."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from mmris.datasets.downloading import fetch_sets
from tests.conftest import ROOT
from tests.datasets.downloading.file_server import QUICK, images_row, make_zip, serve_files

IMAGES = {f'{number}.jpg': np.random.default_rng(number).bytes(300000) for number in (1, 2, 3)}
ARCHIVE = make_zip({f'train/{name}': content for name, content in IMAGES.items()})
HALF = len(ARCHIVE) // 2


@pytest.fixture
def server():
    with serve_files() as running:
        running.files['pictures.zip'] = ARCHIVE
        yield running


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch the pictures; the lines that were said."""

    def fetch_pictures(address: str = '', **options: object) -> str:
        lines = []
        row = images_row(address or server.address('pictures.zip'))
        fetch_sets([row], tmp_path, patience=QUICK, say=lines.append, **options)
        assert {path.name: path.read_bytes() for path in (tmp_path / 'coco/train').iterdir()} == IMAGES
        return '\n'.join(lines)

    return fetch_pictures


def write_part(folder: Path, content: bytes, etag: str = '"one"', length: int = len(ARCHIVE)) -> None:
    (folder / 'pictures.zip.part').write_bytes(content)
    note = dict(length=length, etag=etag, modified=None)
    (folder / 'pictures.zip.source.json').write_text(json.dumps(note))


class TestTransfer:

    def test_a_whole_download(self, server, fetch, tmp_path):
        said = fetch()
        assert f'unpacking 3 files (900.0 kB) to {tmp_path}/coco/train' in said
        assert server.ranges == [None]
        # Neither archive nor notes stay.
        assert os.listdir(tmp_path) == ['coco']
        assert fetch() == f'{tmp_path}/coco/train: all files of pictures are there already'

    def test_a_run_killed_before_it_tidied_up(self, fetch, tmp_path):
        fetch()
        (tmp_path / 'pictures.zip').write_bytes(ARCHIVE)
        fetch()
        assert sorted(os.listdir(tmp_path)) == ['coco', 'pictures.zip']
        write_part(tmp_path, b'')
        (tmp_path / 'pictures.zip.part').unlink()
        fetch()
        assert os.listdir(tmp_path) == ['coco']

    def test_a_run_killed_while_it_unpacked(self, server, fetch, tmp_path):
        fetch(keep_archives=True)
        (tmp_path / 'coco/train/2.jpg').unlink()
        (tmp_path / 'coco/train/.2.jpg.part').write_bytes(b'rubbish')
        assert f'{tmp_path}/coco/train: 2 of 3 files of pictures.zip are there already' in fetch()
        assert server.ranges == [None]

    def test_archives_are_kept(self, fetch, tmp_path):
        fetch(keep_archives=True)
        assert (tmp_path / 'pictures.zip').read_bytes() == ARCHIVE
        assert sorted(os.listdir(tmp_path)) == ['coco', 'pictures.zip']

    def test_a_cut_connection(self, server, fetch):
        server.cuts += [1000, 2000]
        said = fetch()
        assert server.ranges == [None, 'bytes=1000-', 'bytes=3000-']
        assert 'pictures.zip: the connection broke off after 1.0 kB (1,000 of 900,' in said
        assert 'next attempt in 0.01 s' in said and 'next attempt in 0.02 s' in said

    def test_a_connection_that_is_always_cut(self, server, fetch, tmp_path):
        server.cuts += [1000] * 3
        with pytest.raises(ConnectionError) as raised:
            fetch()
        assert str(raised.value).startswith(
            'The download of pictures.zip broke off after 3.0 kB (3,000 of 900,')
        assert (f'3 times in a row. Run the same command again: it continues there. Or download pictures.zip on any '
                f'machine from {server.address("pictures.zip")}, and put it at {tmp_path}/pictures.zip.'
                in str(raised.value))
        assert f'{tmp_path}/pictures.zip.part: continuing after 3.0 kB' in fetch()
        assert server.ranges[-1] == 'bytes=3000-'

    def test_a_busy_server(self, server, fetch):
        server.busy = 2
        assert 'broke off after 0 bytes (the server answers 503 Service Unavailable)' in fetch()

    def test_a_server_without_ranges(self, server, fetch, tmp_path):
        server.takes_ranges = False
        write_part(tmp_path, ARCHIVE[:HALF])
        assert 'pictures.zip: the server sends whole files only, so it is downloaded from its beginning' in fetch()
        assert server.ranges == [f'bytes={HALF}-']

    @pytest.mark.parametrize('changed', ['etag', 'length', 'shorter', 'longer part', 'no note'])
    def test_a_changed_file(self, server, fetch, tmp_path, changed):
        if changed == 'shorter':
            # The server refuses the range: it has less than what is there.
            write_part(tmp_path, bytes(len(ARCHIVE) + 5), length=len(ARCHIVE) + 10)
        elif changed == 'longer part':
            write_part(tmp_path, bytes(len(ARCHIVE) + 5))
        else:
            write_part(tmp_path, bytes(HALF), **{'etag': dict(etag='"zero"'), 'length': dict(length=HALF * 4)}.get(
                changed, {}))
        if changed == 'no note':
            (tmp_path / 'pictures.zip.source.json').unlink()
        said = fetch()
        assert server.ranges[-1] is None
        assert ('the file on the server has changed' in said) == (changed in ('etag', 'length', 'shorter'))

    def test_no_such_file(self, server, fetch):
        with pytest.raises(FileNotFoundError, match='none.zip cannot be downloaded: the server answers 404 Not Found. '
                           'Or download pictures.zip on any machine'):
            fetch(server.address('none.zip'))

    @pytest.mark.parametrize('content, what', [
        (b'<!DOCTYPE html><html>Wayback Machine</html>', 'an HTML page: the download gave a page instead of the file'),
        (b'no archive', "not a zip archive: it begins with b'no archive'"),
    ])
    def test_another_file(self, server, fetch, tmp_path, content, what):
        server.files['pictures.zip'] = content
        with pytest.raises(ValueError, match='/pictures.zip does not give pictures.zip; what came is '
                           f'{re.escape(what)}. Open the address in a browser'):
            fetch()
        assert os.listdir(tmp_path) == []


class TestDisk:

    def test_too_little_space(self, fetch, tmp_path, monkeypatch):
        usage = type('Usage', (), dict(free=1000000))
        monkeypatch.setattr('shutil.disk_usage', lambda _: usage)
        with pytest.raises(OSError, match=re.escape(
                f'There is too little space in {tmp_path}: 1.8 MB are needed (900.3 kB for pictures.zip and 900.3 kB '
                f'for the files in it, at least), and 1.0 MB are free. Free some, or name a folder on another disk by '
                f'--root.')):
            fetch()
        assert os.listdir(tmp_path) == []

    @pytest.mark.slow
    def test_a_disk_that_gets_full(self, server, tmp_path):
        """A limit of the process stands for it; without the limit, the download continues."""
        result = fetch_apart(server.address('pictures.zip'), tmp_path, most=500000).communicate(timeout=100)[1]
        assert (f'OSError: {tmp_path}/pictures.zip.part cannot be written: the disk is full (File too large). It has '
                f'500,000 bytes so far. See to that, and run the same command again: it continues there.') in result
        again = fetch_apart(server.address('pictures.zip'), tmp_path)
        assert again.wait(100) == 0 and server.ranges == [None, 'bytes=500000-']

    @pytest.mark.slow
    def test_a_killed_run(self, server, fetch, tmp_path):
        server.stall = Event()
        process = fetch_apart(server.address('pictures.zip'), tmp_path)
        part, begin = tmp_path / 'pictures.zip.part', time.monotonic()
        while not (part.is_file() and part.stat().st_size == HALF):
            assert process.poll() is None and time.monotonic() - begin < 100
            time.sleep(0.05)
        # Nobody else writes to it meanwhile.
        with pytest.raises(BlockingIOError, match=f'Another process is working on {part}. Wait until it ends.'):
            fetch()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server.stall.set()
        server.stall = None
        assert f'{part}: continuing after 450' in fetch()
        assert server.ranges[-1] == f'bytes={HALF}-'


# Fetches the pictures from an address into a folder, with a largest size of files.
FETCH = '''
import resource, sys
from pathlib import Path
from mmris.datasets.downloading import fetch_sets
from tests.datasets.downloading.file_server import images_row
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), ) * 2)
fetch_sets([images_row(sys.argv[1])], Path(sys.argv[2]))
'''


def fetch_apart(address: str, folder: Path, most: int = 0) -> subprocess.Popen:
    """Fetch the pictures in a process of its own."""
    return subprocess.Popen([sys.executable, '-c', FETCH, address, folder, str(most)], text=True, cwd=ROOT,
                            env={**os.environ, 'PYTHONPATH': str(ROOT)}, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


class TestNoNetwork:

    @pytest.mark.parametrize('why', ['nothing listens', 'no answer', 'no name'])
    def test_all_that_is_missing_is_listed(self, fetch, tmp_path, why):
        with socket.socket() as held:
            held.bind(('127.0.0.1', 0))
            server = f'127.0.0.1:{held.getsockname()[1]}'
            if why == 'no answer':
                # A queue that is full takes no connection, and refuses none.
                held.listen(0)
                fillers = [socket.socket() for _ in range(4)]
                for filler in fillers:
                    filler.setblocking(False)
                    filler.connect_ex(held.getsockname())
            server = 'nowhere.invalid' if why == 'no name' else server
            begin = time.monotonic()
            with pytest.raises(ConnectionError) as raised:
                fetch(f'http://{server}/pictures.zip')
        assert time.monotonic() - begin < 5
        lines = str(raised.value).splitlines()
        problem = {'nothing listens': ' cannot be reached (Connection refused).',
                   'no answer': ' does not answer within 1 seconds.', 'no name': ''}[why]
        assert lines[0].startswith(f'{server}{problem}')
        assert lines[1:] == [
            'This file is missing. With a network, run the same command again. Or download by hand, on any machine:',
            '  pictures.zip (1.2 MB)', f'    from http://{server}/pictures.zip', f'    to   {tmp_path}/pictures.zip',
            f'    or, unpacked, the 3 images to {tmp_path}/coco/train',
            'Then run the same command again: it uses the files.']
        assert os.listdir(tmp_path) == []

    def test_an_archive_put_by_hand(self, fetch, tmp_path):
        (tmp_path / 'pictures.zip').write_bytes(ARCHIVE)
        said = fetch('http://nowhere.invalid/pictures.zip')
        assert f'{tmp_path}/pictures.zip is no longer needed. It stays, since this command did not download it.' in said
        assert (tmp_path / 'pictures.zip').read_bytes() == ARCHIVE

    def test_files_put_by_hand(self, fetch, tmp_path):
        (tmp_path / 'coco/train').mkdir(parents=True)
        for name, content in IMAGES.items():
            (tmp_path / 'coco/train' / name).write_bytes(content)
        assert 'all files of pictures are there already' in fetch('http://nowhere.invalid/pictures.zip')
