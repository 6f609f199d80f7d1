"""What `mmris models` says, and its check."""

import re
import runpy
import sys
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from mmris.datasets.shaperef import sample_scene
from mmris.zoo import OtherFile, get_model
from mmris.zoo.checking import EXAMPLE, EXAMPLE_MASK, EXAMPLE_SENTENCE, check
from tests.conftest import ROOT, run_python
from tests.zoo.rows import fill_zoo, make_row, put_in_zoo


@pytest.fixture
def zoo(monkeypatch, tmp_path):
    return fill_zoo(monkeypatch, tmp_path)


def run_models(monkeypatch, capsys, *arguments: str) -> tuple:
    """The exit status of the tool, and what it prints."""
    monkeypatch.setattr(sys, 'argv', ['models.py', *arguments])
    status = 0
    try:
        runpy.run_path(str(ROOT / 'tools/models.py'), run_name='__main__')
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().out


def change(path, change_weights) -> None:
    """Change the weights of a file, which is then another one than its row says."""
    state = safetensors.torch.load_file(path)
    change_weights(state)
    safetensors.torch.save_file(state, path)


def test_the_example_is_of_shaperef():
    scene = sample_scene(seed=0, split='testA', index=8)
    item = scene.objects[2]
    picture = np.asarray(Image.open(EXAMPLE)).astype(int)
    assert np.abs(picture - scene.image).mean() < 8
    assert np.array_equal(np.asarray(Image.open(EXAMPLE_MASK)) > 0, item.mask)
    fitting = [other for other in scene.objects if f'the {other.colour} {other.shape}' == EXAMPLE_SENTENCE]
    assert fitting == [item]


class TestCheck:

    def test_a_model(self, zoo):
        found = check(get_model('small'))
        assert found.passed and not found.misfits and found.path.name == 'small.safetensors'
        answer = found.answer
        assert 0 <= answer.lowest <= answer.highest <= 1 and 0 <= answer.share <= 1 and 0 <= answer.iou <= 1

    def test_an_answer_that_is_too_bad(self, zoo, monkeypatch, capsys):
        """Random weights do not find what the row says that they find."""
        row = replace(get_model('small'), example_iou=70)
        put_in_zoo(monkeypatch, row)
        assert check(row).misfits.missing == () and not check(row).passed
        status, output = run_models(monkeypatch, capsys, '--check', 'small')
        assert status == 1 and 'The IoU should be at least 70%: the weights are not what they should be.' in output

    @pytest.mark.parametrize('name', ['towers', 'untrained'])
    def test_towers(self, zoo, name):
        """They are loaded: with other weights the answer is another one."""
        first = check(get_model(name))
        assert first.passed
        change(first.path, lambda state: state['visual.conv1.weight'].neg_())
        second = check(get_model(name))
        assert second.passed and second.answer != first.answer

    def test_weights_that_are_no_numbers(self, zoo):
        path = check(get_model('towers')).path
        change(path, lambda state: state['visual.proj'].fill_(float('nan')))
        found = check(get_model('towers'))
        assert not found.misfits and not found.passed


class TestTool:

    def test_table(self, zoo, monkeypatch, capsys):
        status, output = run_models(monkeypatch, capsys)
        lines = [re.sub(' +', ' ', line) for line in output.splitlines()]
        assert status == 0 and len(lines) == 7
        assert lines[0] == '| name | kind | size | licence | trained on | test images seen | scores |'
        assert lines[2] == '| other | model | 2.0 MB | MIT | nothing | no | - |'
        assert lines[-1] == '| untrained | model | as others | MIT | nothing | no | - |'
        status, output = run_models(monkeypatch, capsys, '*others*')
        assert status == 0 and 'name:             others\n' not in output and len(output.splitlines()) == 3

    def test_one_in_full(self, zoo, monkeypatch, capsys):
        status, output = run_models(monkeypatch, capsys, 'small')
        row = get_model('small')
        assert status == 0
        for line in ('name:             small', f'SHA-256:          {row.weights.sha256}',
                     f'config:           {row.config}', 'test images seen: no',
                     'weights:          mmris/zoo/weights/small.safetensors of the package'):
            assert line in output.splitlines()
        with pytest.raises(ValueError, match="The zoo has no model 'smal'. Did you mean small"):
            run_models(monkeypatch, capsys, 'smal')

    def test_check(self, zoo, monkeypatch, capsys):
        status, output = run_models(monkeypatch, capsys, '--check', 'small')
        assert status == 0 and f'keys: all as {get_model("small").config} expects' in output
        assert re.search('"the red star" on .*example.jpg: probabilities 0.[0-9]* to [01].[0-9]*, mask .*% of the '
                         'image, IoU with the truth [0-9.]*%', output)
        assert 'random' not in output
        status, output = run_models(monkeypatch, capsys, '--check', 'towers')
        assert status == 0 and 'is random, so the mask means nothing.' in output

    def test_every_key_that_differs(self, zoo, monkeypatch, capsys, tmp_path):
        path = tmp_path / 'cache/odd/odd.safetensors'
        path.parent.mkdir()
        (tmp_path / 'package/zoo/weights/small.safetensors').rename(path)
        put_in_zoo(monkeypatch, make_row('odd', OtherFile(address='there', file=path.name)))

        def spoil(state):
            for key in [key for key in state if key.startswith('neck.')]:
                del state[key]
            state['head.more'] = torch.zeros(3)
            state['encoder.text.clip.positional_embedding'] = torch.zeros(2, 2)

        gone = [key for key in safetensors.torch.load_file(path) if key.startswith('neck.')]
        change(path, spoil)
        status, output = run_models(monkeypatch, capsys, '--check', 'odd')
        assert status == 1 and len(gone) > 10
        assert all(f'the file lacks: {key}\n' in output for key in gone)
        assert 'the model lacks: head.more\n' in output
        assert 'another shape: encoder.text.clip.positional_embedding (2, 2) in the file, ' in output
        assert f'odd does not fit mmris::cm_masksd/vit-tiny_shaperef.py: {len(gone) + 2} keys differ.' in output
        assert 'IoU' not in output


def test_it_is_a_tool_of_the_package(tmp_path):
    output = run_python('-m', 'mmris', 'models', 'clip-rn*', folder=tmp_path, PYTHONPATH=str(ROOT))
    assert 'clip-rn101' in output and 'clip-rn50' in output and 'cris' not in output


def test_predicting_by_name(zoo, monkeypatch, tmp_path, capsys):
    """As a config and as a checkpoint."""
    monkeypatch.setattr(sys, 'argv', ['predict.py', 'small', 'small', str(EXAMPLE), 'the red star', '--device', 'cpu'])
    runpy.run_path(str(ROOT / 'tools/predict.py'), run_name='__main__')
    assert (tmp_path / 'predictions/example_overlay.png').is_file()
    monkeypatch.setattr(sys, 'argv', ['predict.py', 'small', 'towers', str(EXAMPLE), 'the red star'])
    with pytest.raises(ValueError, match='towers is towers, the encoder of a model, but a whole model is needed here'):
        runpy.run_path(str(ROOT / 'tools/predict.py'), run_name='__main__')
