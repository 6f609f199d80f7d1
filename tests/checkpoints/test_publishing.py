"""Weights to give away."""

import hashlib
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from safetensors import safe_open
from torch import nn

from mmris.checkpoints import load_model_weights, publish, publishing, read_checkpoint
from mmris.checkpoints.files import serialise
from mmris.registry import MODELS
from mmris.version import __version__
from tests.conftest import ROOT, assert_same, tiny_config

DESCRIBED = dict(config='toy', mmris_version=__version__)


class Toy(BaseModel):
    """Something that MMEngine trains, with a branch that only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.distillation = nn.Linear(3, 2)

    def forward(self, inputs: list, mode: str = 'tensor') -> dict:
        inputs = torch.stack(inputs)
        return dict(loss=(self.head(inputs) - self.distillation(inputs)).square().mean())


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    """A runner that trained two epochs, with averaged weights."""
    torch.manual_seed(0)
    runner = Runner(
        Toy(),
        work_dir=str(tmp_path_factory.mktemp('secret')),
        train_dataloader=dict(
            dataset=[dict(inputs=row) for row in torch.randn(4, 3)],
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=dict(type='MultiStepLR', milestones=[1]),
        custom_hooks=[dict(type='EMAHook', momentum=0.5)],
        default_scope='mmris',
        experiment_name='toy',
        cfg=dict(password='secret'))
    runner.train()
    return runner


@pytest.fixture
def trained(runner) -> Path:
    return Path(runner.work_dir) / 'epoch_2.pth'


def save(path: Path, weights: dict, **meta: str) -> Path:
    torch.save(dict(state_dict=weights, meta=meta), path)
    return path


def test_a_checkpoint_of_mmengine(trained, tmp_path):
    publication = publish(trained, tmp_path / 'models' / 'toy')
    weights = torch.load(trained, weights_only=False)['state_dict']
    expected = {name: weights[name] for name in ('head.weight', 'head.bias')}
    pth, safetensors = publication.files
    assert [path.suffix for path in publication.files] == ['.pth', '.safetensors']
    assert_same(read_checkpoint(pth), dict(state_dict=expected, meta=DESCRIBED))
    with safe_open(safetensors, 'pt') as file:
        assert_same({name: file.get_tensor(name) for name in file.keys()}, expected)
        assert json.loads(file.metadata()['meta']) == DESCRIBED
    for path in publication.files:
        digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        assert path == tmp_path / 'models' / f'toy-{digits}{path.suffix}'
        assert b'secret' in trained.read_bytes() and b'secret' not in path.read_bytes()
    assert {'optimizer', 'param_schedulers', 'message_hub', 'ema_state_dict', 'meta.cfg'} < set(publication.stripped)
    assert '2 tensors of distillation.*' in publication.stripped


def test_averaged_weights_are_published(runner, trained, tmp_path):
    [hook] = [hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook']
    published = read_checkpoint(publish(trained, tmp_path / 'toy', formats=['pth']).files[0])['state_dict']
    assert torch.equal(published['head.weight'], hook.ema_model.module.head.weight)
    assert not torch.equal(published['head.weight'], runner.model.head.weight)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_published_weights_load(tiny_model, tmp_path, suffix):
    checkpoint = save(tmp_path / 'best.pth', tiny_model.state_dict())
    [path] = publish(checkpoint, tmp_path / 'model', config='vit-tiny_shaperef', formats=[suffix]).files
    model = MODELS.build(tiny_config().model)
    load_model_weights(model, path)
    expected = {name: value for name, value in tiny_model.state_dict().items() if not name.startswith('distillation.')}
    assert_same({name: value for name, value in model.state_dict().items() if name in expected}, expected)


class TestHalf:

    def test_half_the_size(self, tiny_model, tmp_path):
        """Whole numbers stay; a model of float32 takes the rest."""
        checkpoint = save(tmp_path / 'best.pth', tiny_model.state_dict())
        options = dict(config='vit-tiny_shaperef', formats=['safetensors'])
        [whole] = publish(checkpoint, tmp_path / 'whole', **options).files
        [half] = publish(checkpoint, tmp_path / 'half', **options, half=True).files
        assert half.stat().st_size < 0.52 * whole.stat().st_size
        written = read_checkpoint(half)['state_dict']
        assert {weight.dtype for weight in written.values()} == {torch.float16, torch.int64, torch.bool}
        model = MODELS.build(tiny_config().model)
        load_model_weights(model, half)
        assert all(weight.dtype == torch.float32 for weight in model.parameters())
        expected = tiny_model.state_dict()
        for name, weight in written.items():
            assert torch.equal(model.state_dict()[name], expected[name].to(weight.dtype).to(expected[name].dtype))

    def test_a_weight_that_is_too_large(self, tmp_path):
        checkpoint = save(tmp_path / 'best.pth', {'encoder.weight': torch.tensor([1.0, -70000.0])})
        with pytest.raises(ValueError, match=r'encoder.weight has the value 7e\+04, but float16 holds at most 65504'):
            publish(checkpoint, tmp_path / 'half', config='toy', half=True)
        assert list(tmp_path.iterdir()) == [checkpoint]


class TestSameWeightsSameFiles:

    @pytest.fixture
    def weights(self):
        return {'b.weight': torch.randn(4, 3), 'a': torch.tensor(True), 'b.bias': torch.randn(4)}

    def test_from_other_files(self, weights, tmp_path):
        """Of another name and order of keys, with parameters, and parts of larger tensors, of another layout."""
        wide = torch.zeros(3, 1000)
        wide[:, :4] = weights['b.weight'].t()
        other = {'a': weights['a'], 'b.bias': nn.Parameter(weights['b.bias']), 'b.weight': wide[:, :4].t()}
        one = publish(save(tmp_path / 'one.pth', weights), tmp_path / 'one', config='toy')
        two = publish(save(tmp_path / 'another.pth', other), tmp_path / 'two', config='toy')
        assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]
        assert [path.name for path in one.files] == [path.name.replace('two', 'one') for path in two.files]

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    def test_published_again(self, weights, tmp_path, suffix, monkeypatch):
        """By a later version."""
        checkpoint = save(tmp_path / 'one.pth', weights, experiment_name='toy_20250101_120000')
        once = publish(checkpoint, tmp_path / 'once')
        monkeypatch.setattr(publishing, '__version__', '1000.0')
        [source] = [path for path in once.files if path.suffix == f'.{suffix}']
        again = publish(source, tmp_path / 'again')
        assert [path.read_bytes() for path in once.files] == [path.read_bytes() for path in again.files]
        assert again.stripped == ()

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    def test_written_again(self, weights, suffix):
        assert len({serialise(weights, f'.{suffix}', meta=DESCRIBED) for _ in range(20)}) == 1

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    def test_other_weights(self, weights, suffix):
        other = {**weights, 'a': torch.tensor(False)}
        assert serialise(weights, f'.{suffix}', meta=DESCRIBED) != serialise(other, f'.{suffix}', meta=DESCRIBED)


class TestConfigName:

    @pytest.mark.parametrize('given, found', [
        ('mmris::cris/rn50_refcoco.py', 'mmris::cris/rn50_refcoco.py'),
        ('/home/me/secret/mine.py', 'mine'),
        ('mine', 'mine'),
        (None, 'vit-b_refcoco_lr1e-4'),
    ])
    def test_where_from(self, tmp_path, given, found):
        checkpoint = save(
            tmp_path / 'one.pth', dict(a=torch.zeros(1)), experiment_name='vit-b_refcoco_lr1e-4_20250101_120000')
        [path] = publish(checkpoint, tmp_path / 'out', config=given, formats=['pth']).files
        assert read_checkpoint(path)['meta'] == dict(config=found, mmris_version=__version__)

    @pytest.mark.parametrize('meta', [dict(), dict(experiment_name='20250101_120000')])
    def test_not_known(self, tmp_path, meta):
        checkpoint = save(tmp_path / 'one.pth', dict(a=torch.zeros(1)), **meta)
        with pytest.raises(ValueError, match='one.pth does not tell which config it was trained with: name it with'):
            publish(checkpoint, tmp_path / 'out')
        assert [path.name for path in tmp_path.iterdir()] == ['one.pth']


def test_what_is_no_weights(tmp_path):
    with pytest.raises(ValueError, match='one.pth holds no weights'):
        publish(save(tmp_path / 'one.pth', dict()), tmp_path / 'out', config='toy')
    with pytest.raises(ValueError, match='one.pth .*it holds values that are not tensors: epoch, score'):
        torch.save(dict(weight=torch.zeros(1), epoch=[3], score=dict()), tmp_path / 'one.pth')
        publish(tmp_path / 'one.pth', tmp_path / 'out', config='toy')


def test_numbers_beside_bare_weights(tmp_path):
    torch.save(dict(weight=torch.zeros(1), epoch=3, meta='of a notebook'), tmp_path / 'one.pth')
    published = publish(tmp_path / 'one.pth', tmp_path / 'out', config='toy', formats=['pth'])
    assert published.stripped == ('epoch', 'meta')
    assert list(read_checkpoint(published.files[0])['state_dict']) == ['weight']


def test_the_command(trained, tmp_path, monkeypatch, capsys):
    tool = ROOT / 'tools' / 'model_converters' / 'publish_model.py'
    given = [tool, trained, tmp_path / 'toy', '--config', 'mine', '--formats', 'safetensors']
    monkeypatch.setattr(sys, 'argv', [str(one) for one in given])
    runpy.run_path(str(tool), run_name='__main__')
    [path] = tmp_path.glob('toy-*')
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf'{trained}: \d+\.\d MiB', lines[0])
    assert lines[1].startswith('stripped: ') and 'optimizer' in lines[1] and 'distillation.*' in lines[1]
    assert re.fullmatch(rf'{path}: \d+\.\d MiB', lines[2]) and len(lines) == 3
