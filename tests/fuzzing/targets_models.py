"""Published models, exported models and scores."""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Iterator

import safetensors.torch
import torch
from mmengine.registry import init_default_scope

from mmris.export.goal import check_goal
from mmris.hub.folder import CONFIG, VOCABULARIES
from mmris.hub.model_card import read_scores
from mmris.hub.reading import open_published
from mmris.runtime.card import CARD, read_card
from tests.conftest import tiny_config
from tests.hub.published import publish_random
from tests.runtime.toy_export import write_export

from .mutation import mutate_json, mutate_safetensors
from .target import Read, Target, reading_file

_HUB = 'mmris.hub'


@cache
def _published() -> Path:
    return publish_random(Path(mkdtemp(prefix='mmris-fuzzing-model-')) / 'model', tiny_config())


def _copy_published(folder: Path, name: str) -> Read:
    init_default_scope('mmris')
    for path in _published().iterdir():
        (folder / path.name).write_bytes(path.read_bytes())

    def read(content: bytes) -> None:
        (folder / name).write_bytes(content)
        open_published(folder).config()

    return read


def _prepare_index(folder: Path) -> Read:
    read = _copy_published(folder, 'model.safetensors.index.json')
    (folder / 'model.safetensors').rename(folder / 'model-00001-of-00001.safetensors')
    return read


def _indices(_: Path) -> Iterator[bytes]:
    name = 'model-00001-of-00001.safetensors'
    yield json.dumps(dict(metadata=dict(total_size=16), weight_map=dict(a=name, b=name))).encode()


def _configs(_: Path) -> Iterator[bytes]:
    yield (_published() / CONFIG).read_bytes()
    content = json.loads((_published() / CONFIG).read_text())
    tokenizer = content['inputs']['tokenizer']
    if tokenizer['type'] in VOCABULARIES:
        content['inputs']['tokenizer'] = dict(type='CLIPTokenizer', context_length=17)
        yield json.dumps(content).encode()
    content['thresholds'] = dict(threshold=0.5)
    content['model']['encoder']['image'] = dict(type='TimmTower', model='vit_tiny_patch16_224', image_size=32)
    yield json.dumps(content).encode()


def _weights(_: Path) -> Iterator[bytes]:
    # Those of the model are too large to be changed often: these are found to be of another model.
    yield safetensors.torch.save({'encoder.weight': torch.ones(2, 3), 'head.bias': torch.ones(0)})


def _prepare_card(folder: Path) -> Read:
    write_export(folder)

    def read(content: bytes) -> None:
        (folder / CARD).write_bytes(content)
        read_card(folder, 'float32')

    return read


def _cards(folder: Path) -> Iterator[bytes]:
    yield (write_export(folder) / CARD).read_bytes()


def _prepare_goal(folder: Path) -> Read:
    out = write_export(folder / 'out')

    def read(content: bytes) -> None:
        (out / CARD).write_bytes(content)
        try:
            check_goal(out)
        except FileExistsError:
            # What it says of whatever is no export of ours.
            pass

    return read


def _scores(_: Path) -> Iterator[bytes]:
    scores = {'expressions': 10, 'oIoU': 50.5, 'mIoU': 51.5, 'Pr@0.5': 3, 'skills/colour': 4.5}
    yield json.dumps(dict(val=scores, testA=scores)).encode()


def _check_scores(path: Path) -> None:
    read_scores(path)


TARGETS = [
    Target(name='published_config', readers=[f'{_HUB}.config_check', f'{_HUB}.reading', f'{_HUB}.folder',
                                             f'{_HUB}.number_checks'],
           prepare=lambda folder: _copy_published(folder, CONFIG), seeds=_configs, mutate=mutate_json),
    Target(name='published_weights', readers=[f'{_HUB}.weights_check'],
           prepare=lambda folder: _copy_published(folder, 'model.safetensors'), seeds=_weights,
           mutate=mutate_safetensors),
    Target(name='published_index', readers=[f'{_HUB}.weights_check', 'mmris.checkpoints.files.shards'],
           prepare=_prepare_index, seeds=_indices, mutate=mutate_json),
    Target(name='export_card', readers=['mmris.runtime.card', 'mmris.runtime.fields'], prepare=_prepare_card,
           seeds=_cards, mutate=mutate_json),
    Target(name='export_goal', readers=['mmris.export.goal'], prepare=_prepare_goal, seeds=_cards, mutate=mutate_json),
    Target(name='scores', readers=['mmris.hub.model_card'], prepare=reading_file('scores.json', _check_scores),
           seeds=_scores, mutate=mutate_json),
]
