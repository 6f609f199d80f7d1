"""Rows that tests put into the zoo."""

import hashlib
from pathlib import Path
from typing import Tuple

import pytest
import safetensors.torch
import torch

import mmris.zoo.fetching
import mmris.zoo.names
from mmris.models.encoders import CLIPEncoder
from mmris.registry import MODELS
from mmris.zoo import MODEL, TOWERS, HubFile, OtherFile, PackageFile, ZooModel
from tests.conftest import tiny_config

CONFIG = 'mmris::cm_masksd/vit-tiny_shaperef.py'


def make_row(name: str, weights: object, *, kind: str = MODEL, config: str = CONFIG, **rest: object) -> ZooModel:
    """A row of which only what matters is said."""
    known = dict(licence='MIT', trained_on='nothing', test_images='no', link='here')
    return ZooModel(name=name, kind=kind, config=config, weights=weights, **{**known, **rest})


def measure(path: Path) -> dict:
    """What a row says of a file."""
    return dict(size=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def write_model(path: Path) -> torch.nn.Module:
    """Write the weights of a model of ``CONFIG``, and return it."""
    torch.manual_seed(1)
    model = MODELS.build(tiny_config().model)
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return model


def write_towers(path: Path, config: str = 'cm_masksd/vit-tiny_shaperef.py') -> CLIPEncoder:
    """Write a config's towers as open_clip does, without their activation, and return their encoder."""
    torch.manual_seed(2)
    encoder = CLIPEncoder(architecture=tiny_config(config).model.encoder.architecture, quick_gelu=True)
    names = (('image.clip.', 'visual.'), ('text.clip.', ''))
    state = {
        key.replace(ours, theirs): value.clone()
        for key, value in encoder.state_dict().items() for ours, theirs in names if key.startswith(ours)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(state, path)
    return encoder


def put_in_zoo(monkeypatch: pytest.MonkeyPatch, *rows: ZooModel) -> None:
    """Let the zoo hold these rows alone."""
    monkeypatch.setattr(mmris.zoo.names, 'MODELS', rows)


def fill_zoo(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Tuple[torch.nn.Module, CLIPEncoder]:
    """A zoo of a whole model in the package, towers of a hub in the cache folder, and others; and their weights."""
    monkeypatch.setattr(mmris.zoo.fetching, '_PACKAGE', folder / 'package')
    monkeypatch.setenv('MMRIS_CACHE', str(folder / 'cache'))
    monkeypatch.chdir(folder)
    model = write_model(folder / 'package/zoo/weights/small.safetensors')
    towers = write_towers(folder / 'cache/towers/towers.safetensors')
    untrained = 'risclip/ablations/shaperef_value-path.py'
    write_towers(folder / 'cache/others/others.safetensors', untrained)
    put_in_zoo(
        monkeypatch,
        make_row('small', PackageFile(
            path='zoo/weights/small.safetensors', **measure(folder / 'package/zoo/weights/small.safetensors'))),
        make_row(
            'towers', HubFile(repository='us/towers', file='towers.safetensors'), kind=TOWERS, published='clip',
            quick_gelu=True),
        make_row('other', OtherFile(address='https://example.org/files', file='other.pth', size=2000000)),
        make_row(
            'others', HubFile(repository='us/others', file='others.safetensors'), kind=TOWERS, published='clip',
            quick_gelu=True),
        make_row('untrained', None, towers='others', config=f'mmris::{untrained}'))
    return model, towers
