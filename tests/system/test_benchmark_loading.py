"""benchmark_loading.py, by what it says of a small file."""

import json
from pathlib import Path

import pytest

from mmris.registry import MODELS
from tests.conftest import ROOT, run_command, tiny_config

CONFIG = ROOT / 'configs/evf_sam/tiny_shaperef.py'


def run(folder: Path, *options: object) -> dict:
    arguments = [CONFIG, '--out', folder / 'loading.json', *options]
    run_command('benchmark_loading', *arguments)
    return json.loads((folder / 'loading.json').read_text())


@pytest.mark.parametrize('options', [
    ('--layout', 'evf_sam', '--stored', 'float16'),
    ('--suffix', '.safetensors'),
])
def test_made_files(tmp_path, capsys, options):
    found = run(tmp_path, *options, '--dtype', 'float32', 'bfloat16')
    model = MODELS.build(tiny_config('evf_sam/tiny_shaperef.py').model)
    parameters = sum(value.numel() for value in model.parameters())
    sizes = {dtype: one['weights'] * 2**20 for dtype, one in found['results'].items()}
    assert sizes == pytest.approx(dict(float32=4 * parameters, bfloat16=2 * parameters))
    stored = 2 if 'float16' in options else 4
    assert stored * parameters < found['bytes'] < 1.5 * stored * parameters
    assert all(one['gained'] >= 0 for one in found['results'].values())
    printed = capsys.readouterr().out
    assert 'tiny_shaperef, a file of 0.00 GB' in printed and '| bfloat16' in printed


def test_a_file_of_ones_own(tmp_path):
    """Its errors are those of loading."""
    (tmp_path / 'weights.pth').write_bytes(b'')
    with pytest.raises(ValueError, match='weights.pth cannot be read as a checkpoint: it is empty'):
        run(tmp_path, '--file', tmp_path / 'weights.pth')


@pytest.mark.slow
@pytest.mark.parametrize('layout, config, suffix', [
    ('evf_sam', 'evf-sam', '.bin'),
    ('evf_sam2', 'evf-sam2', '.safetensors'),
])
def test_full_size(tmp_path, layout, config, suffix):
    """Memory holds little more than the weights in the type that is asked for; 3 GB of disk, and 6 GB of memory."""
    path = ROOT / f'configs/evf_sam/{config}.py'
    out = str(tmp_path / 'loading.json')
    run_command('benchmark_loading', path, '--layout', layout, '--stored', 'float16', '--suffix', suffix, '--out', out)
    found = json.loads((tmp_path / 'loading.json').read_text())['results']
    assert all(one['gained'] < 1.3 * one['weights'] for one in found.values()), found
