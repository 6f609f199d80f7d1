"""A stranger's files: none is run, followed or read beyond what it may hold, wherever a model is named."""

import json
import os
import pickle
import re
import subprocess
import sys
from typing import Any, Callable, List

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmris.apis import Predictor, init_model
from mmris.apis.inferencer import ReferringInferencer
from tests.conftest import ROOT, run_command, tiny_config
from tests.hub.published import Stranger, publish_random

EXAMPLE = ROOT / 'mmris/zoo/example.jpg'


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    return publish_random(tmp_path_factory.mktemp('original') / 'model', tiny_config('cm_masksd/vit-small_shaperef.py'))


@pytest.fixture
def stranger(tmp_path, original):
    return Stranger(tmp_path, original)


class TestFiles:

    @pytest.mark.parametrize('content, said', [
        (b'[]', 'list'), (b'"library_name"', 'str'), (b'', 'not a JSON file'), (b'\xff\xfe{}', 'not a JSON file'),
        (b'{"a": NaN}', 'NaN is not a number of JSON'), (b'{"a": -Infinity}', '-Infinity is not a number'),
        (b'{"a": 1e999}', 'a number that is not finite'), (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"a": ' + 30 * b'[' + 30 * b']' + b'}', 'on more than 20 levels'),
        (b'{"a": ' + 400000 * b'[' + 400000 * b']' + b'}', 'nested too deeply'),
        (b'{"a": ' + 9000 * b'1' + b'}', 'not a JSON file'),
        (b'{"a": "' + 10**6 * b'x' + b'"}', 'has 1,000,009 bytes, but at most 1,000,000 are read'),
        (b'{"library_name": "transformers"}', "library_name in its config.json is 'transformers' instead of 'mmris'"),
        (b'import os', 'not a JSON file'),
        (b'!!python/object/apply:os.system ["touch it_ran"]', 'not a JSON file'),
    ])
    def test_configs_that_are_no_plain_json(self, stranger, content, said):
        (stranger.folder / 'config.json').write_bytes(content)
        assert len(stranger.refuse('config.json', said)) < 1000

    @pytest.mark.parametrize('name', ['config.py', 'config.yaml', 'config.yml', 'model.py'])
    def test_a_program_in_place_of_the_config(self, stranger, name):
        (stranger.folder / 'config.json').rename(stranger.folder / name)
        tagged = f'!!python/object/apply:os.system ["{stranger.command}"]'
        (stranger.folder / name).write_text(stranger.program.read_text() if name.endswith('.py') else tagged)
        stranger.refuse(f'has no config.json. {name} is not read: a config of that kind is a program')

    def test_programs_beside_the_config_are_never_looked_at(self, stranger):
        for name in ('config.py', '__init__.py', 'modeling_mmris.py', 'sitecustomize.py'):
            (stranger.folder / name).write_text(stranger.program.read_text())
        Predictor.from_pretrained(str(stranger.folder), device='cpu')
        assert not stranger.marker.exists()

    @pytest.mark.parametrize('name', ['config.json', 'model.safetensors', 'words.txt'])
    def test_links_to_outside(self, stranger, name):
        outside = stranger.folder.parent / 'secret'
        (stranger.folder / name).rename(outside)
        (stranger.folder / name).symlink_to(outside)
        stranger.refuse(f'{name} is a link to outside the folder, {outside}, and is not followed')

    def test_links_into_a_folder_that_looks_like_the_cache(self, stranger):
        """The hub's cache links to ``blobs``; a link in the place of that leads elsewhere."""
        outside = stranger.folder.parent / 'secret'
        outside.mkdir()
        folder = stranger.folder.parent / 'models--a--b/snapshots/c'
        folder.parent.mkdir(parents=True)
        stranger.folder.rename(folder)
        stranger.folder = folder
        (folder / 'words.txt').rename(outside / 'words')
        (folder / 'words.txt').symlink_to('../../blobs/words')
        (folder.parents[1] / 'blobs').symlink_to(outside)
        stranger.refuse('words.txt is a link to outside the folder')

    @pytest.mark.parametrize('name', ['config.json', 'model.safetensors', 'words.txt'])
    def test_what_is_not_a_plain_file(self, stranger, name):
        """A pipe would be waited for."""
        (stranger.folder / name).unlink()
        os.mkfifo(stranger.folder / name)
        stranger.refuse(f'{name} is not a plain file')
        (stranger.folder / name).unlink()
        (stranger.folder / name).mkdir()
        stranger.refuse(f'{name} is not a plain file')

    @pytest.mark.parametrize('name', ['model.safetensors', 'words.txt'])
    def test_missing_files(self, stranger, name):
        (stranger.folder / name).unlink()
        stranger.refuse(f'{name} is missing', error=FileNotFoundError)

    def test_a_large_vocabulary(self, stranger):
        with open(stranger.folder / 'words.txt', 'wb') as file:
            file.truncate(3 * 10**7)
        stranger.refuse('words.txt has 30,000,000 bytes, but at most 20,000,000 are read')


class Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command, )


class TestWeights:

    @pytest.mark.parametrize('write', [
        lambda path, value: path.write_bytes(pickle.dumps(value)), lambda path, value: torch.save(value, path)
    ], ids=['pickle', 'torch'])
    def test_pickles(self, stranger, write):
        write(stranger.folder / 'model.safetensors', dict(state_dict=Runs(stranger.command)))
        stranger.refuse('model.safetensors is not a safetensors file', 'since pickles run code. Fetch it again')

    def test_pickles_of_another_name(self, stranger):
        torch.save(dict(state_dict=Runs(stranger.command)), stranger.folder / 'pytorch_model.bin')
        (stranger.folder / 'model.safetensors').unlink()
        stranger.refuse('model.safetensors is missing', error=FileNotFoundError)

    @pytest.mark.parametrize('name', ['../secret.safetensors', 'pytorch_model.bin', '/tmp/x', 'model.py'])
    def test_an_index_of_other_files(self, stranger, name):
        (stranger.folder / 'model.safetensors').unlink()
        for file in ('pytorch_model.bin', 'model.py'):
            (stranger.folder / file).write_text('')
        (stranger.folder / 'model.safetensors.index.json').write_text(json.dumps(dict(weight_map=dict(a=name))))
        stranger.refuse('model.safetensors.index.json', name)

    def test_a_pickle_among_several_files(self, stranger):
        (stranger.folder / 'model.safetensors').unlink()
        name = 'model-00001-of-00002.safetensors'
        torch.save(dict(state_dict=Runs(stranger.command)), stranger.folder / name)
        (stranger.folder / 'model.safetensors.index.json').write_text(json.dumps(dict(weight_map=dict(a=name))))
        stranger.refuse(f'{name} is not a safetensors file')

    def test_others_than_those_of_the_config(self, stranger):
        path = stranger.folder / 'model.safetensors'
        state = load_file(path)
        key = next(iter(state))
        for change, said in ((lambda one: one.pop(key), f'Missing: {key}'),
                             (lambda one: one.update(extra=torch.ones(2)), 'Left over: extra'),
                             (lambda one: one.update({key: torch.ones(3, 5, 7)}), f'shape: {key} (3, 5, 7) in the')):
            changed = dict(state)
            change(changed)
            save_file(changed, path)
            stranger.refuse('has other weights than the model of', said, 'Fetch both files again')

    @pytest.mark.parametrize('name, shown', [
        ('a\x1b[2Jb', "'a\\x1b[2Jb'"), ('a\nMissing: none', "'a\\nMissing: none'"), ('', "''"), ('a/b', "'a/b'"),
        ('\u202ea', "'\\u202ea'"), ('é', "'é'"), ('x' * 201, 'xxx...xxx'),
    ])
    def test_names_of_tensors(self, stranger, name, shown):
        """None reaches a terminal as it is."""
        path = stranger.folder / 'model.safetensors'
        save_file({**load_file(path), name: torch.ones(2)}, path)
        message = stranger.refuse(f'{path} has a tensor named ', shown, 'dots and underscores alone, at most 200. Do')
        assert message.isprintable() and len(message) < 500

    def test_names_that_the_library_quotes(self, stranger):
        header = json.dumps({'a\x1b[2J\nb': dict(dtype='F32', shape=[2], data_offsets=[0, 4])}).encode()
        (stranger.folder / 'model.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header + bytes(4))
        assert stranger.refuse('model.safetensors is not a safetensors file').isprintable()

    def test_too_many_tensors(self, stranger):
        add_empty_tensors(stranger, 20001)
        stranger.refuse('model.safetensors: the weights have 20,', 'tensors, but at most 20,000 are read')

    def test_parts_that_would_come_from_elsewhere(self, stranger):
        path = stranger.folder / 'model.safetensors'
        save_file(load_file(path), path, metadata=dict(meta=json.dumps(dict(excluded_parts=dict(encoder='0')))))
        stranger.refuse('model.safetensors lacks parts that were excluded when it was saved')


def timm_swin(**changes: Any) -> Callable:
    def change(stranger: Stranger) -> None:
        model = 'swin_tiny_patch4_window7_224'
        stranger.set('model.encoder.image', dict(type='TimmTower', model=model, joint_channels=128, options=changes))

    return change


def add_empty_tensors(stranger: Stranger, count: int) -> None:
    path = stranger.folder / 'model.safetensors'
    save_file({**load_file(path), **{f'empty{number}': torch.empty(0) for number in range(count)}}, path)


def layers_and_empty_tensors(stranger: Stranger) -> None:
    """Many tensors, so that many modules would seem to be right."""
    stranger.set('model.encoder.architecture.vision_cfg.layers', 99999)
    add_empty_tensors(stranger, 4000)


HUGE: List = [
    ('width', lambda one: one.set('model.encoder.architecture.vision_cfg.width', 99968), 'cannot be built|other w'),
    ('vocabulary', lambda one: one.set('model.encoder.architecture.text_cfg.vocab_size', 10**12), 'no number above'),
    ('layers', lambda one: one.set('model.encoder.architecture.vision_cfg.layers', 99999), 'more than .* modules'),
    ('empty tensors', layers_and_empty_tensors, 'more than 20,000 modules'),
    ('decoder', lambda one: one.set('model.decoder.num_layers', 100000), 'more than .* modules'),
    ('channels', lambda one: one.set('model.decoder.feedforward_channels', 100000), 'other weights'),
    ('list', lambda one: one.set('model.neck.in_channels', [128] * 100000), 'model cannot be built|other weights'),
    ('view', lambda one: one.set('inputs.views.main.size', 10**5), 'instead of 1 to 4096 pixels'),
    ('sides', lambda one: one.set('inputs.views.main.size', [80, 10**5]), 'instead of 1 to 4096 pixels'),
    ('no size', lambda one: one.set('inputs.views.main', dict(type='Letterbox')), 'size is None instead of 1 to'),
    ('tokens', lambda one: one.set('inputs.tokenizer.context_length', 10**5), 'instead of 2 to 4096 tokens'),
    ('timm', timm_swin(embed_dim=100000), 'embed_dim has 100000 instead of 0 to 2048'),
    ('depths of timm', timm_swin(depths=[2, 2, 10**5, 2]), 'depths has'),
    ('window of timm', timm_swin(window_size=20000), 'window_size has 20000 instead of 0 to 64'),
]
# Within this address space, in a process of its own.
LIMIT = '''
import resource, sys
from mmris.apis import Predictor
import torch, mmris.hub.reading
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
for folder in sys.argv[1:]:
    try:
        Predictor.from_pretrained(folder, device='cpu')
        print(folder, 'WAS READ')
    except Exception as error:
        print(folder, type(error).__name__, str(error).replace('\\n', ' ')[:900])
'''


def test_huge_models_take_no_memory(tmp_path, original):
    """All in one process, which may take 1 GiB more than its imports."""
    folders = []
    for number, (_, change, _) in enumerate(HUGE):
        (tmp_path / str(number)).mkdir()
        stranger = Stranger(tmp_path / str(number), original)
        change(stranger)
        folders.append(stranger.folder)
    done = subprocess.run([sys.executable, '-c', LIMIT, *map(str, folders)], cwd=ROOT, text=True, capture_output=True,
                          timeout=300, env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'})
    lines = [line for line in done.stdout.splitlines() if line.startswith(str(tmp_path))]
    assert len(lines) == len(HUGE), done.stdout + done.stderr
    for line, (name, _, said) in zip(lines, HUGE):
        assert ' ValueError ' in line and re.search(said, line) and 'config.json' in line, (name, line)


@pytest.mark.parametrize('enter', [
    lambda folder: Predictor.from_pretrained(folder, device='cpu'),
    lambda folder: Predictor(folder, device='cpu'),
    lambda folder: Predictor(f'{folder}/config.json', f'{folder}/model.safetensors', device='cpu'),
    lambda folder: init_model(folder, device='cpu'),
    lambda folder: ReferringInferencer(folder, device='cpu'),
    lambda folder: run_command('predict', '--model', folder, EXAMPLE, 'a star', '--device', 'cpu'),
    lambda folder: run_command('predict', f'{folder}/config.json', f'{folder}/model.safetensors', EXAMPLE, 'a star'),
    lambda folder: run_command('push', '--model', folder, f'{folder}_again'),
    lambda folder: run_command('print_config', folder),
    lambda folder: run_command('test', '--model', folder),
], ids=['from_pretrained', 'Predictor', 'both files', 'init_model', 'inferencer', 'predict', 'predict with both files',
        'push', 'print_config', 'test'])
@pytest.mark.parametrize('key, value', [('_base_', ['../program.py']), ('model', 'os.system')])
def test_wherever_a_model_is_named(stranger, monkeypatch, enter, key, value):
    monkeypatch.chdir(stranger.folder.parent)
    stranger.set(key, dict(type=value, command=stranger.command) if key == 'model' else value)
    with pytest.raises(ValueError, match=f'config.json: {key}'):
        enter(str(stranger.folder))
    assert not stranger.marker.exists()
