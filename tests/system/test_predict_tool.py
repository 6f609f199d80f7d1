"""predict.py on images whose names are alike, or odd (in this process: imports take seconds)."""

import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from mmris.registry import MODELS
from mmris.zoo import find_weights, get_model
from mmris.zoo.checking import EXAMPLE, EXAMPLE_SENTENCE
from tests.conftest import ROOT, run_command, tiny_config

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    init_default_scope('mmris')
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('model') / 'model.pth'
    torch.save(dict(state_dict=MODELS.build(tiny_config().model).state_dict()), path)
    return path


@pytest.fixture
def predict(checkpoint, monkeypatch, capsys, tmp_path):
    """Predict for an image and two sentences; what is printed."""

    def run(image: object, out: str = 'out') -> str:
        path = ROOT / 'tools' / 'predict.py'
        arguments = (CONFIG, checkpoint, image, 'the star', 'left one', '--out', tmp_path / out, '--device', 'cpu')
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.chdir(ROOT)
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    return run


def test_by_name(monkeypatch, tmp_path, capsys):
    """As with the config and the file that the name stands for."""
    monkeypatch.chdir(tmp_path)
    common = (EXAMPLE, EXAMPLE_SENTENCE, '--device', 'cpu')
    run_command('predict', '--model', 'cm-masksd-shaperef', *common, '--out', 'named')
    row = get_model('cm-masksd-shaperef')
    run_command('predict', row.config, find_weights(row.name), *common, '--out', 'given')
    assert 'named/example_1_mask.png: "' in capsys.readouterr().out
    named, given = (np.asarray(Image.open(f'{out}/example_1_mask.png')) for out in ('named', 'given'))
    assert named.any() and np.array_equal(named, given)


def photograph(path: Path, width: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, width, 3), dtype=np.uint8)).save(path)
    return path


def test_images_of_one_name(predict, tmp_path):
    """Told apart by their widths: each has its outputs in the end, and only one set of them."""
    images = [photograph(tmp_path / name, 30 + place) for place, name in enumerate(('cat.png', 'cat.jpg', 'b/cat.jpg'))]
    printed = [predict(image) for image in images]
    assert printed == [predict(image) for image in images]
    assert f'{tmp_path}/out/cat.jpg_overlay.png: all of them\n' in printed[1]
    masks = {path.name: Image.open(path).size[0] for path in (tmp_path / 'out').glob('*_mask.png')}
    assert masks == {
        f'{name}_{number}_mask.png': width
        for name, width in (('cat', 30), ('cat.jpg', 31), ('cat.jpg-2', 32)) for number in (1, 2)
    }
    assert len(list((tmp_path / 'out').iterdir())) == 12


@pytest.mark.parametrize('stem', [b'x' * 250, b'caf\xe9', b'a\nb'])
def test_odd_names(predict, tmp_path, stem):
    image = photograph(tmp_path / os.fsdecode(stem + b'.png'), 30)
    printed = predict(image)
    assert len(printed.encode().splitlines()) == 4 and len(list((tmp_path / 'out').iterdir())) == 4
