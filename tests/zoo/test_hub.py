"""Downloads from the hub, each in a process of its own, since its client reads the environment when it is imported."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.zoo.hub_server import BEFORE_THE_STALL, COMMIT, CONTENT, serve_hub

SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Fetches the files that are named, and prints what became of each and how long it took.
FETCH = '''
import json, resource, sys, time
import mmris
from mmris.zoo import HubFile, ZooModel, fetch_weights

files, most = json.loads(sys.argv[1]), int(sys.argv[2])
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
found = {}
for name, file in files.items():
    row = ZooModel(name=name, kind='towers', config='', weights=HubFile(**file), licence='', trained_on='',
                   test_images='no', link='')
    begin = time.monotonic()
    try:
        found[name] = dict(path=str(fetch_weights(row)))
    except Exception as error:
        found[name] = dict(error=type(error).__name__, message=str(error))
    found[name]['seconds'] = time.monotonic() - begin
print(json.dumps(found))
'''


def start(folder: Path, files: dict, most: int = 0, **environment: str) -> subprocess.Popen:
    variables = dict(HF_HOME=str(folder / 'hub'), MMRIS_CACHE=str(folder / 'cache'), PYTHONPATH=str(ROOT))
    kept = {key: value for key, value in os.environ.items() if not key.startswith('HF_')}
    return subprocess.Popen([sys.executable, '-c', FETCH, json.dumps(files), str(most)],
                            env={**kept, **variables, **environment}, cwd=folder, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def fetch(folder: Path, files: dict, **options) -> dict:
    output, errors = start(folder, files, **options).communicate(timeout=200)
    assert output, errors
    return {**json.loads(output.splitlines()[-1]), 'stderr': errors}


def describe(repository: str, **rest: object) -> dict:
    return dict(repository=f'us/{repository}', file='weights.safetensors', **rest)


@pytest.fixture(scope='module')
def hub():
    with serve_hub() as server:
        yield server


@pytest.fixture(scope='module')
def found(hub, tmp_path_factory) -> dict:
    """What becomes of each kind of file, in one process."""
    folder = tmp_path_factory.mktemp('fetched')
    files = dict(
        good=describe('good', size=len(CONTENT), sha256=SHA256),
        branch=describe('branch'),
        wrong=describe('wrong', sha256='0' * 64),
        missing=describe('missing', size=598516980),
        silent=describe('silent', size=598516980))
    # The client shows progress on terminals alone, unless TQDM_POSITION says otherwise.
    return dict(fetch(folder, files, HF_ENDPOINT=hub.address, TQDM_POSITION='-1'), folder=folder)


class TestDownload:

    def test_it_is_kept_in_the_cache_of_the_client(self, hub, found):
        path = Path(found['good']['path'])
        assert path == found['folder'] / f'hub/hub/models--us--good/snapshots/{COMMIT}/weights.safetensors'
        assert path.read_bytes() == CONTENT == Path(found['branch']['path']).read_bytes()
        # A bar.
        assert 'weights.safetensors: 100%' in found['stderr']

    def test_it_is_not_fetched_again(self, found):
        """Nothing listens at the address."""
        files = dict(good=describe('good', sha256=SHA256))
        again = fetch(found['folder'], files, HF_ENDPOINT='http://127.0.0.1:9')
        assert again['good']['path'] == found['good']['path']

    def test_another_content(self, found):
        assert found['wrong']['error'] == 'ValueError'
        message = found['wrong']['message']
        assert f'its SHA-256 is {SHA256} instead of {"0" * 64}. Remove it and fetch it again from' in message
        assert Path(message.partition(' should be')[0]).is_file()

    def test_no_such_file(self, hub, found):
        assert found['missing']['error'] == 'FileNotFoundError'
        assert (f'{hub.address} has no file weights.safetensors in the repository us/missing at revision main, where '
                f'the weights of missing should be') in found['missing']['message']

    def test_no_answer(self, hub, found):
        check_unreachable(found['silent'], found['folder'], 'silent', hub.address)
        assert 'does not answer within 4 seconds' in found['silent']['message']

    def test_it_continues_after_a_kill(self, hub, tmp_path):
        files = dict(stalls=describe('stalls', sha256=SHA256))
        process = start(tmp_path, files, HF_ENDPOINT=hub.address)
        begin = time.monotonic()
        partial = tmp_path / f'hub/hub/models--us--stalls/blobs/{SHA256}.incomplete'
        while not (partial.is_file() and partial.stat().st_size):
            assert process.poll() is None and time.monotonic() - begin < 100
            time.sleep(0.1)
        process.kill()
        process.communicate()
        there = partial.stat().st_size
        assert 0 < there <= BEFORE_THE_STALL
        again = fetch(tmp_path, files, HF_ENDPOINT=hub.address)
        assert Path(again['stalls']['path']).read_bytes() == CONTENT
        assert hub.ranges == [None, f'bytes={there}-']


def check_unreachable(result: dict, folder: Path, name: str, address: str) -> None:
    """What a user without a network needs to know, in time."""
    assert result['error'] == 'ConnectionError' and result['seconds'] < 5
    for part in (f'The weights of {name} cannot be downloaded: {address} ', 'weights.safetensors (598.5 MB)',
                 f'{address}/us/{name}/resolve/main/weights.safetensors',
                 f'put it at {folder}/cache/{name}/weights.safetensors', 'HF_ENDPOINT names a mirror'):
        assert part in result['message'], result['message']


def test_nothing_listens(tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'http://127.0.0.1:{free.getsockname()[1]}'
    result = fetch(tmp_path, dict(there=describe('there', size=598516980)), HF_ENDPOINT=address)['there']
    check_unreachable(result, tmp_path, 'there', address)
    assert 'cannot be reached (Connection refused). ' in result['message']


def test_offline(tmp_path, hub):
    result = fetch(tmp_path, dict(there=describe('there')), HF_ENDPOINT=hub.address, HF_HUB_OFFLINE='1')['there']
    assert result['error'] == 'ConnectionError'
    assert (f'HF_HUB_OFFLINE is set, but the cache {tmp_path}/hub/hub lacks the weights of there. Unset it'
            in result['message'])
    # A file that somebody put there is used.
    (tmp_path / 'cache/there').mkdir(parents=True)
    (tmp_path / 'cache/there/weights.safetensors').write_bytes(b'weights')
    result = fetch(tmp_path, dict(there=describe('there')), HF_ENDPOINT=hub.address, HF_HUB_OFFLINE='1')['there']
    assert result['path'] == f'{tmp_path}/cache/there/weights.safetensors'


@pytest.mark.parametrize('case, reason', [('full', 'File too large'), ('unwritable', 'Not a directory')])
def test_a_cache_that_cannot_be_written(tmp_path, hub, case, reason):
    """A limit of the process stands for a full disk."""
    (tmp_path / 'file').write_text('')
    home = tmp_path / ('file/hub' if case == 'unwritable' else 'hub')
    options = dict(HF_ENDPOINT=hub.address, HF_HOME=str(home), most=2**20 if case == 'full' else 0)
    result = fetch(tmp_path, dict(good=describe('good', size=len(CONTENT))), **options)['good']
    assert result['error'] == 'OSError'
    assert result['message'] == (f'weights.safetensors (12.6 MB) cannot be written to the cache {home}/hub: {reason}. '
                                 f'See to that, or name another folder by HF_HOME.')
