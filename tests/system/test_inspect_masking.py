"""The picture of what branches mask, as a user calls for it."""

import numpy as np
import pytest
from PIL import Image

from tests.apis.test_masking import PIXELS, SENTENCE, save
from tests.conftest import ROOT, run_command, tiny_config

CONFIG = ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py'


@pytest.fixture
def files(tmp_path) -> tuple:
    Image.fromarray(PIXELS).save(tmp_path / 'photo.png')
    return CONFIG, save(tiny_config(), tmp_path / 'model.pth'), tmp_path / 'photo.png'


def test_picture(files, tmp_path, capsys):
    out = tmp_path / 'masking.png'
    run_command('inspect_masking', *files, SENTENCE, 'the star', '--out', out, '--device', 'cpu')
    assert f'{out}: 2 sentences, branches lmvsd, vmlsd' in capsys.readouterr().out
    picture = np.asarray(Image.open(out).convert('RGB'))
    assert picture.shape[1] > 1200 and picture.std() > 10
    run_command('inspect_masking', *files, SENTENCE, 'the star', '--out', tmp_path / 'again.png', '--device', 'cpu')
    assert (picture == np.asarray(Image.open(tmp_path / 'again.png').convert('RGB'))).all()
