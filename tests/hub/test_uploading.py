"""Models on the hub, which a server of the test plays. The client reads the environment when it is imported: each test
is a process of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import List, Sequence

import numpy as np
import pytest

from mmris.apis import Predictor
from tests.conftest import ROOT, tiny_config
from tests.hub.model_hub import TOKEN, Repository, serve_models
from tests.hub.published import SENTENCES, edit, photograph, publish_random

# Does what it is told in a list of commands, or of names to predict with, and prints what became of each.
DRIVER = '''
import json, sys
from mmris.command_line.main import start

found = []
for given in json.loads(sys.argv[1]):
    try:
        if isinstance(given, list):
            start(given)
            found.append('')
        else:
            import numpy as np
            from mmris.apis import Predictor
            predictor = Predictor.from_pretrained(given, device='cpu')
            predictor.set_image(np.load(sys.argv[2]))
            np.save(sys.argv[3], predictor.predict(json.loads(sys.argv[4])).probabilities)
            found.append('')
    except Exception as error:
        found.append(f'{type(error).__name__}: {error}')
print(json.dumps(found))
'''


class Client:
    """A user of the hub."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address, self.output = folder, address, ''
        np.save(folder / 'photograph.npy', photograph())

    def run(self, *given: object, token: str = TOKEN, **environment: str) -> List[str]:
        """Run commands, or predict with names; the errors."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith('HF_')}
        path = os.pathsep.join(one for one in (str(ROOT), os.environ.get('PYTHONPATH')) if one)
        settings = dict(HF_ENDPOINT=self.address, HF_HOME=str(self.folder / 'home'), HF_HUB_DISABLE_XET='1',
                        HF_TOKEN=token, PYTHONPATH=path, OMP_NUM_THREADS='1', MMRIS_DEBUG='1')
        done = subprocess.run(
            [sys.executable, '-c', DRIVER, json.dumps(given), 'photograph.npy', 'answer.npy', json.dumps(SENTENCES)],
            cwd=self.folder, text=True, capture_output=True, timeout=200, env={**kept, **settings, **environment})
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def hub():
    with serve_models() as server:
        yield server


@pytest.fixture
def client(tmp_path, hub):
    return Client(tmp_path, hub.address)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A published folder of words, which stands for a trained model."""
    return publish_random(tmp_path_factory.mktemp('one') / 'model', tiny_config('cm_masksd/vit-small_shaperef.py'))


def push(folder: Path, target: str, *options: str) -> Sequence[str]:
    return ['push', '--model', str(folder), target, *options]


def fill(repository: Repository, folder: Path) -> Repository:
    """Put all files of a folder into a repository."""
    repository.files.update({path.name: path.read_bytes() for path in folder.iterdir()})
    return repository


def test_there_and_back(hub, client, folder):
    scores = dict(val=dict(oIoU=50.0, mIoU=55.25, expressions=10))
    (client.folder / 'scores.json').write_text(json.dumps(scores))
    options = ('--scores', 'scores.json', '--scored-on', 'ShapeRef', '--licence', 'apache-2.0', '--message', 'First')
    found = client.run(push(folder, 'user/model', *options), 'user/model', 'hf-hub:user/model')
    assert found == ['', '', '']
    repository = hub.repositories['user/model']
    assert set(repository.files) == {'README.md', 'config.json', 'model.safetensors', 'words.txt'}
    assert repository.messages == ['First'] and not repository.private
    for name in ('config.json', 'model.safetensors', 'words.txt'):
        assert repository.files[name] == (folder / name).read_bytes()
    card = repository.files['README.md'].decode()
    assert "Predictor.from_pretrained('user/model')" in card and 'mIoU' in card
    assert f'uploaded to {hub.address}/user/model\nUse it: Predictor.from_pretrained(\'user/model\')' in client.output
    predictor = Predictor.from_pretrained(folder, device='cpu')
    predictor.set_image(photograph())
    expected = predictor.predict(SENTENCES).probabilities
    assert np.array_equal(np.load(client.folder / 'answer.npy'), expected)
    # The card is for people.
    assert set(hub.downloads) == {'config.json', 'model.safetensors', 'words.txt'}
    # What was downloaded is found without the hub, and by commands.
    image = str(ROOT / 'mmris/zoo/example.jpg')
    assert client.run('user/model', ['predict', '--model', 'user/model', image, 'a star'], HF_HUB_OFFLINE='1') == ['', '']


def test_a_second_commit_replaces_the_first(hub, client, folder):
    repository = hub.repositories['user/model'] = fill(Repository(), folder)
    repository.files.update({'vocab.txt': b'of another tokenizer', '.gitattributes': b'', 'model.safetensors': b'old'})
    assert client.run(push(folder, 'user/model', '--half')) == ['']
    assert set(repository.files) == {'.gitattributes', 'README.md', 'config.json', 'model.safetensors', 'words.txt'}
    assert len(repository.messages) == 1 and repository.messages[0].startswith('Publish with mmris ')


def test_private(hub, client, folder):
    hub.repositories['user/public'] = Repository()
    found = client.run(push(folder, 'user/mine', '--private'), push(folder, 'user/public', '--private'))
    assert found[0] == '' and hub.repositories['user/mine'].private
    assert found[1].startswith(f'ValueError: {hub.address}/user/public is public, but --private was given')
    assert hub.repositories['user/public'].files == {}
    # Those who may not see it get to know nothing.
    assert 'FileNotFoundError: ' in client.run('user/mine', token='hf_other')[0]


def test_only_what_is_needed_is_downloaded(hub, client, folder):
    repository = hub.repositories['user/model'] = fill(Repository(), folder)
    for name in ('modeling.py', 'config.py', 'pytorch_model.bin', 'model.safetensors.py', 'sub/config.py', 'optimizer.pt',
                 'vocab.json', 'training.log'):
        repository.files[name] = b'raise SystemExit("it ran")'
    assert client.run('user/model') == ['']
    assert set(hub.downloads) == {'config.json', 'model.safetensors', 'words.txt'}


def test_a_strangers_repository(hub, client, folder, tmp_path):
    (tmp_path / 'changed').mkdir()
    for path in folder.iterdir():
        (tmp_path / 'changed' / path.name).write_bytes(path.read_bytes())
    marker = tmp_path / 'it_ran'
    edit(tmp_path / 'changed', lambda content: content['model'].update(
        neck=dict(type='os.system', command=f'touch {marker}')))
    fill(hub.repositories.setdefault('user/model', Repository()), tmp_path / 'changed')
    hub.repositories['user/large'] = Repository()
    hub.repositories['user/large'].files['config.json'] = b' ' * 2 * 10**6
    hub.repositories['user/other'] = Repository()
    hub.repositories['user/other'].files['config.json'] = b'{"library_name": "transformers"}'
    found = client.run('user/model', 'user/large', 'user/other', 'user/nothing')
    assert "config.json: model.neck.type is 'os.system', which is not the name of a model of mmris" in found[0]
    assert not marker.exists()
    assert found[1].startswith(f'ValueError: config.json of {hub.address}/user/large has 2,000,000 bytes, but at most')
    assert "library_name in its config.json is 'transformers' instead of 'mmris'" in found[2]
    assert found[3].startswith(f'FileNotFoundError: {hub.address} has no file config.json in the repository user/noth')
    # Of what is not a model nothing more is fetched.
    assert hub.downloads.count('model.safetensors') == 1


def test_refusals_before_any_work(hub, client, folder):
    other = hub.repositories['user/other'] = Repository()
    other.files.update({'config.json': b'{"library_name": "transformers"}', 'model.safetensors': b''})
    hub.repositories['user/data'] = Repository()
    hub.repositories['user/data'].files['data.csv'] = b''
    found = client.run(push(folder, 'user/other'), push(folder, 'user/data'), push(folder, 'hf-hub:user'),
                       push(folder, 'hf-hub:user/a--b'), push(folder, './local', '--private'))
    assert found[0].startswith(f'FileExistsError: {hub.address}/user/other holds something else than a published model '
                               'of mmris: it has config.json. Name another repository')
    assert 'it has data.csv' in found[1]
    assert found[2].startswith("ValueError: 'user' is not the name of a repository: write user/name")
    assert found[3].startswith("ValueError: 'user/a--b' is not the name of a repository")
    assert found[4].startswith('ValueError: --private is about a repository of the hub, but ./local is a folder')
    assert other.messages == [] and not (client.folder / 'local').exists()


def test_tokens(hub, client, folder):
    found = client.run(push(folder, 'user/model'), token='')
    assert found[0].startswith(f'PermissionError: There is no token for {hub.address}, which uploading to user/model')
    found = client.run(push(folder, 'user/model'), token='hf_wrong')
    assert found[0].startswith(f'PermissionError: {hub.address} does not let this token write to user/model (401)')
    found = client.run(push(folder, 'somebody/model'))
    assert found[0].startswith(f'PermissionError: {hub.address} does not let this token write to somebody/model (403)')
    assert hub.repositories == {}


def test_an_upload_that_breaks_off(hub, client, folder):
    """The repository has no part of the model."""
    hub.breaks = True
    found = client.run(push(folder, 'user/model'))
    assert 'user/model' in found[0] and hub.repositories['user/model'].files == {}
    hub.breaks = False
    assert client.run(push(folder, 'user/model'), 'user/model') == ['', '']


def test_without_a_network(folder, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'http://127.0.0.1:{free.getsockname()[1]}'
    client = Client(tmp_path, address)
    found = client.run(push(folder, 'user/model'), 'user/model')
    assert found[0].startswith(f'ConnectionError: user/model cannot be uploaded: {address} cannot be reached (Connection')
    assert 'Give a folder instead of the repository' in found[0]
    assert found[1].startswith(f'ConnectionError: The weights of user/model cannot be downloaded: {address} cannot be')
    found = client.run(push(folder, 'user/model'), HF_HUB_OFFLINE='1')
    assert found[0].startswith('ConnectionError: HF_HUB_OFFLINE is set, so that nothing can be uploaded to user/model')
