"""Models on the hub, which a server of the test plays. Its client reads the environment when it is imported, so that it
runs in processes of its own: one for all that goes on with a token and a network."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, List, Sequence

import numpy as np
import pytest
from huggingface_hub import constants

from mmris.apis import Predictor
from mmris.hub.uploading import explain_upload
from tests.conftest import ROOT, tiny_config
from tests.hub.model_hub import TOKEN, ModelHub, Repository, serve_models
from tests.hub.published import SENTENCES, edit, photograph, publish_random

pytestmark = pytest.mark.slow

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


def push(folder: Path, target: str, *options: str) -> Sequence[str]:
    return ['push', '--model', str(folder), target, *options]


def publish(parent: Path) -> Path:
    """A published folder of words, which stands for a trained model."""
    return publish_random(parent / 'model', tiny_config('cm_masksd/vit-small_shaperef.py'))


def repository_of(folder: Path, **files: bytes) -> Repository:
    """A repository with the files of a folder, and others, in whose names ``_`` stands for a point."""
    repository = Repository()
    repository.files.update({path.name: path.read_bytes() for path in folder.iterdir()})
    repository.files.update({name.replace('_', '.'): content for name, content in files.items()})
    return repository


def changed(folder: Path, parent: Path, change: Callable[[dict], None]) -> Path:
    """A copy of a folder with a changed config."""
    shutil.copytree(folder, parent / 'changed')
    return edit(parent / 'changed', change)


PROGRAM = b'raise SystemExit("it ran")'
FOREIGN = b'{"library_name": "transformers"}'


def fill(hub: ModelHub, folder: Path, parent: Path) -> None:
    """Give the hub what is there before the client comes."""
    made = hub.repositories
    made['user/second'] = repository_of(folder, vocab_txt=b'of another tokenizer', _gitattributes=b'')
    made['user/public'] = Repository()
    made['user/programs'] = repository_of(
        folder, modeling_py=PROGRAM, config_py=PROGRAM, pytorch_model_bin=PROGRAM, model_safetensors_py=PROGRAM,
        optimizer_pt=PROGRAM, vocab_json=PROGRAM)
    command = f'touch {parent / "it_ran"}'
    made['user/stranger'] = repository_of(changed(
        folder, parent, lambda content: content['model'].update(neck=dict(type='os.system', command=command))))
    for name, files in dict(large=dict(config_json=b' ' * 2 * 10**6), other=dict(config_json=FOREIGN), data=dict(
            data_csv=b'')).items():
        made[f'user/{name}'] = repository_of(parent / 'empty', **files)
    hub.breaks.add('user/breaks')


@pytest.fixture(scope='module')
def done(tmp_path_factory) -> SimpleNamespace:
    """All that a user with a token and a network does, in one process."""
    parent = tmp_path_factory.mktemp('client')
    (parent / 'empty').mkdir()
    folder = publish(parent)
    (parent / 'scores.json').write_text(json.dumps(dict(val=dict(oIoU=50.0, mIoU=55.25, expressions=10))))
    steps = dict(
        upload=push(folder, 'user/model', '--scores', 'scores.json', '--scored-on', 'ShapeRef', '--licence',
                    'apache-2.0', '--message', 'First'),
        prefixed='hf-hub:user/model', plain='user/model',
        second=push(folder, 'user/second', '--half'),
        private=push(folder, 'user/private', '--private'),
        public=push(folder, 'user/public', '--private'),
        programs='user/programs', stranger='user/stranger', large='user/large', other='user/other', none='user/none',
        onto_other=push(folder, 'user/other'), onto_data=push(folder, 'user/data'),
        no_name=push(folder, 'hf-hub:user'), bad_name=push(folder, 'hf-hub:user/a--b'),
        local=push(folder, './local', '--private'), somebody=push(folder, 'somebody/model'),
        breaks=push(folder, 'user/breaks'))
    with serve_models() as hub:
        fill(hub, folder, parent)
        client = Client(parent, hub.address)
        found = dict(zip(steps, client.run(*steps.values())))
        yield SimpleNamespace(hub=hub, client=client, folder=folder, parent=parent, found=found, output=client.output)


def test_there_and_back(done):
    assert done.found['upload'] == done.found['prefixed'] == done.found['plain'] == ''
    repository = done.hub.repositories['user/model']
    assert set(repository.files) == {'README.md', 'config.json', 'model.safetensors', 'words.txt'}
    assert repository.messages == ['First'] and not repository.private
    for name in ('config.json', 'model.safetensors', 'words.txt'):
        assert repository.files[name] == (done.folder / name).read_bytes()
    card = repository.files['README.md'].decode()
    assert "Predictor.from_pretrained('user/model')" in card and 'mIoU' in card
    assert (f"uploaded to {done.hub.address}/user/model\nUse it: Predictor.from_pretrained('user/model')"
            in done.output)
    # The card is for people.
    assert done.hub.downloads['user/model'] == {'config.json', 'model.safetensors', 'words.txt'}


def test_without_the_hub(done):
    """What was downloaded is found again, by the Predictor and by commands, and predicts the same."""
    image = str(ROOT / 'mmris/zoo/example.jpg')
    again = done.client.run('user/model', ['predict', '--model', 'user/model', image, 'a star'],
                            push(done.folder, 'user/model'), HF_HUB_OFFLINE='1')
    assert again[:2] == ['', '']
    assert again[2].startswith('ConnectionError: HF_HUB_OFFLINE is set, so that nothing can be uploaded to user/model')
    predictor = Predictor.from_pretrained(done.folder, device='cpu')
    predictor.set_image(photograph())
    assert np.array_equal(np.load(done.parent / 'answer.npy'), predictor.predict(SENTENCES).probabilities)


def test_a_second_commit_replaces_the_first(done):
    repository = done.hub.repositories['user/second']
    assert done.found['second'] == ''
    assert set(repository.files) == {'.gitattributes', 'README.md', 'config.json', 'model.safetensors', 'words.txt'}
    assert len(repository.messages) == 1 and repository.messages[0].startswith('Publish with mmris ')
    assert len(repository.files['model.safetensors']) < 0.6 * (done.folder / 'model.safetensors').stat().st_size


def test_private(done):
    assert done.found['private'] == '' and done.hub.repositories['user/private'].private
    assert done.found['public'].startswith(
        f'ValueError: {done.hub.address}/user/public is public, but --private was given')
    assert done.hub.repositories['user/public'].files == {}


def test_only_what_is_needed_is_downloaded(done):
    assert done.found['programs'] == ''
    assert done.hub.downloads['user/programs'] == {'config.json', 'model.safetensors', 'words.txt'}


def test_strangers(done):
    found, address = done.found, done.hub.address
    assert "config.json: model.neck.type is 'os.system', which is not the name of a model of mmris" in found['stranger']
    assert not (done.parent / 'it_ran').exists()
    assert found['large'].startswith(
        f'ValueError: config.json of {address}/user/large has 2,000,000 bytes, but at most 1,000,000 are read')
    assert 'user/large' not in done.hub.downloads
    assert "library_name in its config.json is 'transformers' instead of 'mmris'" in found['other']
    assert found['none'].startswith(
        f'FileNotFoundError: {address} has no file config.json in the repository user/none at revision main')


def test_refusals_before_any_work(done):
    found, address = done.found, done.hub.address
    assert found['onto_other'].startswith(
        f'FileExistsError: {address}/user/other holds something else than a published model of mmris: it has '
        f'config.json. Name another repository')
    assert 'it has data.csv' in found['onto_data']
    assert found['no_name'].startswith("ValueError: 'user' is not the name of a repository: write user/name")
    assert found['bad_name'].startswith("ValueError: 'user/a--b' is not the name of a repository")
    assert found['local'].startswith('ValueError: --private is about a repository of the hub, but ./local is a folder')
    assert found['somebody'].startswith(
        f'PermissionError: {address} does not let this token write to somebody/model (403)')
    assert done.hub.repositories['user/other'].messages == [] and not (done.parent / 'local').exists()


def test_an_upload_that_breaks_off(done):
    """The repository has no part of the model."""
    found = done.found['breaks']
    assert found.startswith('ConnectionError: The upload to user/breaks broke off (')
    assert found.endswith(f'No file was changed unless the hub finished the commit: look at {done.hub.address}/user/'
                          f'breaks, then run this again.')
    assert done.hub.repositories['user/breaks'].files == {}


def test_a_check_that_breaks_off():
    """Nothing was uploaded yet."""
    said = str(explain_upload(OSError(104, 'Connection reset by peer'), 'user/model', uploading=False))
    assert said == (f'{constants.ENDPOINT}/user/model cannot be checked before the upload (Connection reset by peer). '
                    f'Nothing was uploaded. Run this again.')


def test_tokens(done):
    names = set(done.hub.repositories)
    found, = done.client.run(push(done.folder, 'user/new'), token='')
    assert found.startswith(f'PermissionError: There is no token for {done.hub.address}, which uploading to user/new')
    # A wrong token may not see what is private either.
    found = done.client.run(push(done.folder, 'user/new'), 'user/private', token='hf_wrong')
    assert found[0].startswith(f'PermissionError: {done.hub.address} does not let this token write to user/new (401)')
    assert found[1].startswith('FileNotFoundError: ')
    assert set(done.hub.repositories) == names


def test_without_a_network(done, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'http://127.0.0.1:{free.getsockname()[1]}'
    found = Client(tmp_path, address).run(push(done.folder, 'user/model'), 'user/model')
    assert found[0].startswith(f'ConnectionError: user/model cannot be uploaded: {address} cannot be reached (Connect')
    assert 'Give a folder instead of the repository' in found[0]
    assert found[1].startswith(f'ConnectionError: The weights of user/model cannot be downloaded: {address} cannot be')
