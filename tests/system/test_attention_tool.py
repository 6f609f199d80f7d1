"""The picture of where a model looks, as a user calls for it (in this process: imports take seconds)."""

import os
import runpy
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmris.apis.attention import AttentionMap
from mmris.apis.attention_probes import START_ON_PATCHES
from mmris.commands.attention_maps import explain
from mmris.registry import MODELS
from tests.conftest import ROOT, tiny_config

SHARED, SENTENCE = 'shared_ris/tiny_shaperef.py', 'the red circle'


@pytest.fixture
def run(monkeypatch, capsys):

    def run_tool(*arguments: object) -> str:
        path = ROOT / 'tools' / 'analysis_tools' / 'attention_maps.py'
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.chdir(ROOT)
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    return run_tool


@pytest.fixture
def files(tmp_path) -> tuple:
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(tiny_config(SHARED).model).state_dict()), tmp_path / 'model.pth')
    pixels = np.random.default_rng(0).integers(0, 255, (54, 72, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'photo.png')
    return f'configs/{SHARED}', tmp_path / 'model.pth', tmp_path / 'photo.png'


def test_picture(run, files, tmp_path):
    out = tmp_path / 'pictures' / 'attention.png'
    options = ('--out', out, '--device', 'cpu')
    assert run(*files, SENTENCE, 'left one', *options) == f'{out}: 2 sentences, 9 maps of each\n'
    width, height = Image.open(out).size
    assert width > 2000 and np.asarray(Image.open(out).convert('RGB')).std() > 10
    assert run(*files, SENTENCE, '--brief', *options) == f'{out}: 1 sentences, 3 maps of each\n'
    brief = Image.open(out).size
    assert brief[0] < width / 2 and brief[1] < height
    assert list(out.parent.iterdir()) == [out]


def test_what_numbers_mean():
    values = np.zeros((2, 2))
    on_patches = [AttentionMap(part='encoder', name='layer 1', kind=START_ON_PATCHES, values=values, share=0.5)]
    assert explain(on_patches, False).endswith('the rest is on words and class token.')
    assert explain(on_patches, True).endswith('the rest is on words, class token and instances.')


def test_errors(run, files, tmp_path):
    config, checkpoint, image = files
    with pytest.raises(FileNotFoundError, match='There is no checkpoint none.pth'):
        run(config, 'none.pth', image, SENTENCE)
    with pytest.raises(FileNotFoundError, match='There is no image none.jpg'):
        run(config, checkpoint, 'none.jpg', SENTENCE)
    with pytest.raises(FileNotFoundError, match='There is no config none.py'):
        run('none.py', checkpoint, image, SENTENCE)
    (tmp_path / 'text.jpg').write_text('not an image')
    with pytest.raises(ValueError, match='text.jpg is of no image format that Pillow reads'):
        run(config, checkpoint, tmp_path / 'text.jpg', SENTENCE, '--out', tmp_path / 'a.png')
    assert not (tmp_path / 'a.png').exists()


def test_names_that_are_no_text(run, files, tmp_path):
    """Of bytes that are not UTF-8: the picture's title has the name of the image."""
    config, checkpoint, image = files
    odd = image.rename(tmp_path / os.fsdecode(b'caf\xe9.png'))
    run(config, checkpoint, odd, SENTENCE, '--brief', '--device', 'cpu', '--out', tmp_path / 'a.png')
    assert (tmp_path / 'a.png').is_file()
