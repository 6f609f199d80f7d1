"""The command that times steps with a feature cache."""

import json

import pytest

from mmris.commands.benchmark_cache import BOUND, CACHED, COMPUTED
from tests.conftest import ROOT, run_command

CONFIG = ROOT / 'configs/evf_sam/tiny_shaperef.py'


def test_numbers(tmp_path, capsys):
    out = tmp_path / 'cache.json'
    run_command('benchmark_cache', CONFIG, '--batch-size', 2, '--steps', 2, '--stored', 'float16', '--out', out,
                '--cfg-options', 'model.frozen=encoder.segmenter')
    results = json.loads(out.read_text())
    assert set(results['seconds']) == {COMPUTED, CACHED, BOUND}
    assert (results['images'], results['expressions']) == (2, 8)
    assert results['share'] == pytest.approx(results['seconds'][BOUND] / results['seconds'][CACHED])
    # 64 channels on 16 x 16 cells, two bytes each, and the layout.
    assert 64 * 16 * 16 * 2 < results['entry_bytes'] < 64 * 16 * 16 * 2 + 500
    assert 'kB an image as float16' in capsys.readouterr().out


def test_a_model_without_a_frozen_tower():
    with pytest.raises(ValueError, match='weights of encoder.segmenter are trained'):
        run_command('benchmark_cache', CONFIG, '--batch-size', 1, '--steps', 1)
