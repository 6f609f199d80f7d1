"""Configs that train nothing: a model that is what its pretrained weights make of it."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmris.apis import Predictor, init_model
from mmris.models.encoders import CLIPEncoder
from mmris.registry import MODELS, RUNNERS
from tests.conftest import ROOT, tiny_config, write_set

VALUE_PATH = 'risclip/ablations/shaperef_value-path.py'
NONE_TRAINED = '''
_base_ = 'mmris::risclip/ablations/shaperef_value-path.py'
model = dict(encoder=dict(pretrained={pretrained!r}))
val_dataloader = dict(num_workers=0)
test_dataloader = dict(num_workers=0)
'''


@pytest.fixture
def folder(tmp_path) -> Path:
    """A set, a config that trains nothing, and the weights that it names."""
    write_set(tmp_path / 'set')
    torch.manual_seed(1)
    encoder = CLIPEncoder(architecture=tiny_config(VALUE_PATH).model.encoder.architecture, taps=(4, ))
    torch.save({f'encoder.{key}': value for key, value in encoder.state_dict().items()}, tmp_path / 'towers.pth')
    (tmp_path / 'none.py').write_text(NONE_TRAINED.format(pretrained=str(tmp_path / 'towers.pth')))
    return tmp_path


def run(monkeypatch, tool: str, *arguments: object) -> None:
    """Run a tool in this process."""
    path = ROOT / 'tools' / f'{tool}.py'
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    runpy.run_path(str(path), run_name='__main__')


def has_towers(model: torch.nn.Module, folder: Path) -> bool:
    towers = torch.load(folder / 'towers.pth')
    return all(torch.equal(value.cpu(), towers[f'encoder.{key}']) for key, value in model.encoder.state_dict().items())


@pytest.mark.parametrize('checkpoint', [(), ('none', )])
def test_evaluation(folder, checkpoint, monkeypatch):
    """Of the pretrained weights, with no checkpoint at all."""
    tested, runner_type = [], RUNNERS.get('ReferringRunner')
    real = runner_type.test
    monkeypatch.setattr(runner_type, 'test', lambda runner: tested.append(runner.model) or real(runner))
    run(monkeypatch, 'test', folder / 'none.py', *checkpoint, '--split', 'val', '--controls', 'empty', '--data-root',
        folder / 'set', '--work-dir', folder, '--out', folder / 'metrics.json')
    assert has_towers(tested[0], folder)
    scores = json.loads((folder / 'metrics.json').read_text())
    assert list(scores) == ['val', 'val_empty'] and scores['val']['expressions'] == 15


@pytest.mark.parametrize('options, message', [
    (["model.frozen=['encoder']"], r'but 2 tensors of head are \(model.frozen names what is not\)'),
    (['model.encoder.ske_modules=1'], r'but encoder.ske.0.\S+, .* and so on would be random'),
    (['model.encoder.pretrained=None'], 'but model.encoder.pretrained is not set. Name a checkpoint'),
    (['model.encoder.pretrained=nowhere.pth'], "pretrained='nowhere.pth' is neither a file nor a folder"),
])
def test_what_is_missing(folder, monkeypatch, options, message):
    with pytest.raises(ValueError, match=message):
        run(monkeypatch, 'test', folder / 'none.py', '--split', 'val', '--data-root', folder / 'set', '--work-dir',
            folder, '--cfg-options', *options)


@pytest.mark.parametrize('option', ['--out', '--dump'])
def test_where_nothing_can_be_written(folder, monkeypatch, option):
    """Found before the evaluation, whose scores would be lost."""
    monkeypatch.setattr(RUNNERS, 'build', lambda *_: pytest.fail('begun'))
    with pytest.raises(IsADirectoryError, match='set is a folder, but a file is to be written'):
        run(monkeypatch, 'test', folder / 'none.py', '--work-dir', folder, option, folder / 'set')


def test_nothing_to_train(folder, monkeypatch):
    with pytest.raises(ValueError, match='none.py has nothing to train: its train_cfg is None. Evaluate it with '):
        run(monkeypatch, 'train', folder / 'none.py', '--data-root', folder / 'set')


def test_the_config_is_printed(folder, monkeypatch, capsys):
    run(monkeypatch, 'analysis_tools/print_config', folder / 'none.py', '--data-root', folder / 'set')
    assert 'train_dataloader = None' in capsys.readouterr().out


def test_interactive_use(folder):
    assert has_towers(Predictor(folder / 'none.py', device='cpu').model, folder)
    config = Config.fromfile(folder / 'none.py')
    config.model.frozen = ['encoder']
    assert not has_towers(init_model(config, device='cpu'), folder)
    config.model.encoder.pretrained = None
    assert not has_towers(init_model(config, device='cpu'), folder)


def test_pictures(folder, monkeypatch, capsys):
    """The tools draw what the pretrained weights make of it."""
    image, out, data = next((folder / 'set').rglob('*.jpg')), folder / 'out', ('--data-root', folder / 'set')
    run(monkeypatch, 'predict', folder / 'none.py', 'none', image, 'the circle', '--out', out, '--threshold', '0.5')
    predictor = Predictor(folder / 'none.py', device='cpu')
    predictor.set_image(image)
    expected = 100 * predictor.predict('the circle').with_threshold(0.5).masks.mean()
    assert f'"the circle", {expected:.1f}% of the image' in capsys.readouterr().out
    run(monkeypatch, 'analysis_tools/attention_maps', folder / 'none.py', 'none', image, 'the circle', '--out',
        out / 'attention.png')
    run(monkeypatch, 'analysis_tools/draw_predictions', folder / 'none.py', 'none', *data, '--number', '2', '--out',
        out / 'drawn.png')
    assert {'attention.png', 'drawn.png'} <= {path.name for path in out.iterdir()}
    with pytest.raises(ValueError, match='Without a checkpoint .* but 2 tensors of head are'):
        run(monkeypatch, 'predict', folder / 'none.py', 'none', image, 'the circle', '--cfg-options',
            "model.frozen=['encoder']")


@pytest.mark.parametrize('checkpoint', [(), ('--checkpoint', 'none')])
def test_worst_predictions(folder, checkpoint, monkeypatch, capsys):
    data = ('--data-root', folder / 'set')
    run(monkeypatch, 'test', folder / 'none.py', '--split', 'val', *data, '--work-dir', folder, '--dump',
        folder / 'rows.jsonl')
    run(monkeypatch, 'analysis_tools/error_report', folder / 'rows.jsonl', '--config', folder / 'none.py', *checkpoint,
        *data, '--out', folder / 'report', '--number', '2')
    assert 'the worst of val' in capsys.readouterr().out and (folder / 'report' / 'worst.png').is_file()


def test_nothing_is_wrapped_where_nothing_is_trained(folder, monkeypatch):
    """DistributedDataParallel refuses such a model."""
    config = Config.fromfile(folder / 'none.py')
    config.update(work_dir=str(folder), test_dataloader=None, test_cfg=None, test_evaluator=None, val_dataloader=None,
                  val_cfg=None, val_evaluator=None)
    runner = RUNNERS.build(config)
    monkeypatch.setattr(type(runner), 'distributed', True)
    model = MODELS.build(config.model)
    assert runner.wrap_model(None, model) is model
