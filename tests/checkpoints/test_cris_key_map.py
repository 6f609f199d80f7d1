"""Checkpoints in the layout of CRIS's published code, and ours."""

import argparse
import importlib.util
import math
import re
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, load_model_weights, read_checkpoint
from mmris.checkpoints.file_kinds import FileKind, identify
from mmris.checkpoints.key_maps import KeyMapError
from mmris.checkpoints.key_maps.cris import CRIS, to_cris
from mmris.registry import MODELS
from tests.conftest import ROOT, assert_same
from tests.parity.plain_cris import PlainCRIS
from tests.parity.toy_cris import our_config, plain_model, released

TOOL = ROOT / 'tools' / 'model_converters' / 'convert_cris.py'
SIZES = dict(rn50=dict(), rn101=dict(blocks=(3, 4, 23, 3), joint=512))


@pytest.fixture
def weights():
    return released(plain_model())


@pytest.fixture
def tool(monkeypatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location('convert_cris', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def convert(tool, tmp_path, monkeypatch):
    """Run the command, which knows the toy beside the released sizes."""
    our_config().dump(tmp_path / 'toy.py')
    monkeypatch.setattr(tool, 'CONFIGS', (*tool.CONFIGS, str(tmp_path / 'toy.py')))

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['convert_cris.py', *(str(one) for one in arguments)])
        tool.main()

    return run


@pytest.fixture
def best_model(tmp_path):
    """A file as the published training saves it."""
    plain = plain_model()
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-4)
    plain.proj.txt.bias.grad = torch.ones_like(plain.proj.txt.bias)
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[35], gamma=0.1)
    path = tmp_path / 'best_model.pth'
    torch.save(
        dict(
            epoch=50,
            cur_iou=np.float64(0.69),
            best_iou=np.float32(0.7),
            prec={'Pr@50': np.float64(0.8)},
            state_dict=released(plain),
            optimizer=optimizer.state_dict(),
            scheduler=scheduler.state_dict()), path)
    return path


class TestMap:

    def test_there_and_back(self, weights):
        ours = CRIS.to_ours(weights, 'test')
        assert len(ours) == len(weights) + 1 and bool(ours['encoder.text.quick_gelu'])
        assert_same(to_cris(ours, 'test'), weights)

    @pytest.mark.parametrize('name', SIZES)
    def test_fits_the_config(self, tool, name):
        """Of the released sizes: every key, and every shape."""
        with torch.device('meta'):
            weights = released(PlainCRIS(**SIZES[name]))
        assert tool.fitting_config(weights, 'test', from_cris=True) == f'mmris::cris/{name}_refcoco.py'

    def test_weights_that_were_never_of_cris(self, weights):
        """They have no temperature, which CRIS does not use; its loader asks for one."""
        model = MODELS.build(our_config().model)
        model.load_state_dict(model_weights(weights))
        theirs = to_cris(model.state_dict(), 'test')
        assert theirs.keys() == weights.keys()
        assert theirs['module.backbone.logit_scale'].item() == pytest.approx(math.log(100))

    def test_another_activation(self, weights):
        ours = {**CRIS.to_ours(weights, 'test'), 'encoder.text.quick_gelu': torch.tensor(False)}
        with pytest.raises(KeyMapError, match='CRIS has QuickGELU in its text tower, this model was trained with GELU'):
            to_cris(ours, 'test')

    def test_unknown_keys(self, weights):
        with pytest.raises(KeyMapError, match='no rule knows: backbone.visual.conv1.weight, module.neck.extra.weight'):
            strange = {'module.neck.extra.weight': torch.zeros(1), 'backbone.visual.conv1.weight': torch.zeros(1)}
            CRIS.to_ours({**weights, **strange}, 'test')


def model_weights(weights: dict) -> dict:
    ours = CRIS.to_ours(weights, 'test')
    return {name: value for name, value in ours.items() if not name.startswith('left_out.')}


class TestCommand:

    @pytest.mark.parametrize('suffix, kind', [('pth', FileKind.TORCH), ('safetensors', FileKind.SAFETENSORS)])
    def test_there_and_back(self, convert, best_model, tmp_path, suffix, kind, capsys):
        ours, back = tmp_path / f'ours.{suffix}', tmp_path / f'back.{suffix}'
        convert(best_model, ours)
        assert re.search(r'ours\.\w+: \d+ tensors that fit .*toy\.py', capsys.readouterr().out)
        convert(ours, back, '--to', 'cris')
        assert {identify(path, path.name) for path in (ours, back)} == {kind}
        released_weights = torch.load(best_model, weights_only=False)['state_dict']
        assert_same(read_checkpoint(back)['state_dict'], released_weights)

        model = MODELS.build(our_config().model)
        load_model_weights(model, ours)
        assert_same(dict(model.state_dict()), model_weights(released_weights))

    def test_keys_that_do_not_come_out_even(self, convert, weights, tmp_path):
        """Missing ones are listed, also a whole layer; so are those left over and those of another shape."""
        path = tmp_path / 'bad.pth'
        weights['module.backbone.visual.extra'] = weights.pop('module.neck.aggr.0.weight')
        weights['module.proj.txt.bias'] = torch.zeros(3)
        gone = [name for name in weights if name.startswith('module.decoder.layers.1.')]
        for name in gone:
            del weights[name]
        torch.save(dict(state_dict=weights), path)
        with pytest.raises(KeyMapError) as caught:
            convert(path, tmp_path / 'out.pth')
        message = str(caught.value)
        assert 'bad.pth does not fit' in message and 'toy.py, the closest of' in message
        missing, more = re.search(r'Missing: (.*?) and (\d+) more\.', message).groups()
        gone.append('module.neck.aggr.0.weight')
        assert set(missing.split(', ')) < set(gone) and len(missing.split(', ')) + int(more) == len(gone)
        assert 'Left over: module.backbone.visual.extra.' in message
        assert message.endswith('Of another shape: module.proj.txt.bias (3,) in the file, (73,) in the model.')
        assert not (tmp_path / 'out.pth').exists()

    def test_ours_that_does_not_fit(self, convert, weights, tmp_path):
        ours = CRIS.to_ours(weights, 'test')
        ours['distillation.lmvsd.mask_token'] = ours.pop('decoder.norm.bias')
        torch.save(dict(state_dict=ours), tmp_path / 'bad.pth')
        with pytest.raises(KeyMapError, match='Missing: decoder.norm.bias. Left over: distillation.lmvsd.mask_token.$'):
            convert(tmp_path / 'bad.pth', tmp_path / 'out.pth', '--to', 'cris')

    def test_a_file_that_holds_more_than_tensors(self, convert, weights, tmp_path):
        path, out = tmp_path / 'best_model.pth', tmp_path / 'out.pth'
        torch.save(dict(state_dict=weights, arguments=argparse.Namespace(epochs=50)), path)
        with pytest.raises(UnreadableCheckpointError, match='best_model.pth.*--trust reads it all the same'):
            convert(path, out)
        convert(path, out, '--trust')
        assert out.is_file()

    def test_a_suffix_of_no_format(self, convert, best_model, tmp_path, capsys):
        with pytest.raises(SystemExit):
            convert(best_model, tmp_path / 'out.onnx')
        assert 'out.onnx must end with .pth or .safetensors' in capsys.readouterr().err
