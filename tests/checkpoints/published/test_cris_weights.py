"""Checkpoints in the layout of CRIS's published code, and ours."""

import argparse
import math
import re

import numpy as np
import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, load_model_weights, read_checkpoint
from mmris.checkpoints.files import FileKind, identify
from mmris.checkpoints.published import CRIS, KeyMapError, PublishedWeights, convert, cris
from mmris.checkpoints.published.cris import KEY_MAP
from mmris.checkpoints.published.whole import find_fitting_config
from mmris.registry import MODELS
from tests.checkpoints.published.conversions import converter
from tests.conftest import assert_same
from tests.parity.plain_cris import PlainCRIS
from tests.parity.toy_cris import our_config, plain_model, released

SIZES = dict(rn50=dict(), rn101=dict(blocks=(3, 4, 23, 3), joint=512))


@pytest.fixture
def weights():
    """By the keys of CRIS's code, without what DataParallel puts before them."""
    return {name.removeprefix('module.'): value for name, value in released(plain_model()).items()}


@pytest.fixture
def convert_toy(tmp_path, monkeypatch, capsys):
    """Run the command, which knows the toy beside the released sizes."""
    our_config().dump(tmp_path / 'toy.py')
    monkeypatch.setattr(cris, 'CONFIGS', (*cris.CONFIGS, str(tmp_path / 'toy.py')))
    return converter(monkeypatch, capsys, 'cris')


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
        ours = KEY_MAP.to_ours(weights, 'test')
        assert len(ours) == len(weights)
        assert_same(KEY_MAP.to_theirs(ours, 'test'), weights)

    @pytest.mark.parametrize('name', SIZES)
    def test_fits_the_config(self, name):
        """Of the released sizes: every key, and every shape."""
        with torch.device('meta'):
            weights = PlainCRIS(**SIZES[name]).state_dict()
        found = PublishedWeights(model_weights(weights), {}, 'test', quick_gelu=True)
        config = find_fitting_config(found, cris.CONFIGS, ('encoder.text.quick_gelu', ))
        assert config == f'mmris::cris/{name}_refcoco.py'

    def test_weights_that_were_never_of_cris(self, weights):
        """They have no temperature, which CRIS does not use; its loader asks for one."""
        model = MODELS.build(our_config().model)
        model.load_state_dict({**model_weights(weights), 'encoder.text.quick_gelu': torch.tensor(True)})
        state = dict(model.state_dict())
        del state['encoder.text.quick_gelu']
        theirs = KEY_MAP.to_theirs(state, 'test')
        assert theirs.keys() == weights.keys()
        assert theirs['backbone.logit_scale'].item() == pytest.approx(math.log(100))

    def test_unknown_keys(self, weights):
        with pytest.raises(KeyMapError, match='no rule knows: backbone.extra.weight, neck.extra.weight'):
            strange = {'neck.extra.weight': torch.zeros(1), 'backbone.extra.weight': torch.zeros(1)}
            KEY_MAP.to_ours({**weights, **strange}, 'test')


def model_weights(weights: dict) -> dict:
    ours = KEY_MAP.to_ours(weights, 'test')
    return {name: value for name, value in ours.items() if not name.startswith('excluded.')}


class TestCommand:

    @pytest.mark.parametrize('suffix, kind', [('pth', FileKind.TORCH), ('safetensors', FileKind.SAFETENSORS)])
    def test_there_and_back(self, convert_toy, best_model, tmp_path, suffix, kind):
        ours, back = tmp_path / f'ours.{suffix}', tmp_path / f'back.{suffix}'
        printed = convert_toy(best_model, ours)
        assert re.search(r'ours\.\w+: \d+ tensors of CRIS \(fit .*toy\.py, or the config of another', printed)
        convert_toy(ours, back, '--to', 'cris')
        assert {identify(path, path.name) for path in (ours, back)} == {kind}
        released_weights = torch.load(best_model, weights_only=False)['state_dict']
        assert_same(read_checkpoint(back)['state_dict'], released_weights)

        model = MODELS.build(our_config().model)
        load_model_weights(model, ours)
        expected = model_weights({key.removeprefix('module.'): value for key, value in released_weights.items()})
        assert_same(dict(model.state_dict()), {**expected, 'encoder.text.quick_gelu': torch.tensor(True)})

    def test_keys_that_do_not_come_out_even(self, convert_toy, weights, tmp_path):
        """Missing ones are listed, also a whole layer; so are those left over and those of another shape."""
        path = tmp_path / 'bad.pth'
        weights['backbone.visual.extra'] = weights.pop('neck.aggr.0.weight')
        weights['proj.txt.bias'] = torch.zeros(3)
        gone = [name for name in weights if name.startswith('decoder.layers.1.')]
        lost = [name for name in model_weights(weights) if name.startswith('decoder.layers.1.')]
        for name in gone:
            del weights[name]
        torch.save(dict(state_dict=weights), path)
        with pytest.raises(KeyMapError) as caught:
            convert_toy(path, tmp_path / 'out.pth')
        message = str(caught.value)
        assert 'bad.pth does not fit' in message and 'toy.py, the closest of' in message
        missing, more = re.search(r'Missing: (.*?) and (\d+) more\.', message).groups()
        lost.append('neck.aggregate.0.weight')
        assert set(missing.split(', ')) < set(lost) and len(missing.split(', ')) + int(more) == len(lost)
        assert 'Left over: encoder.image.clip.extra.' in message
        assert message.endswith('Of another shape: head.kernel_projection.bias (3,) in the file, (73,) in the model.')
        assert not (tmp_path / 'out.pth').exists()

    def test_ours_that_does_not_fit(self, convert_toy, weights, tmp_path):
        ours = {**KEY_MAP.to_ours(weights, 'test'), 'encoder.text.quick_gelu': torch.tensor(True)}
        torch.save(dict(state_dict={**ours, 'distillation.lmvsd.mask_token': torch.zeros(1)}), tmp_path / 'bad.pth')
        with pytest.raises(KeyMapError, match='no rule of CRIS knows: distillation.lmvsd.mask_token.$'):
            convert_toy(tmp_path / 'bad.pth', tmp_path / 'out.pth', '--to', 'cris')
        del ours['decoder.norm.bias']
        torch.save(dict(state_dict=ours), tmp_path / 'bad.pth')
        with pytest.raises(KeyMapError, match='Missing: decoder.norm.bias. Left over: none.$'):
            convert_toy(tmp_path / 'bad.pth', tmp_path / 'out.pth', '--to', 'cris')

    def test_another_activation(self, convert_toy, weights, tmp_path):
        """Also where nothing says which."""
        ours = {**KEY_MAP.to_ours(weights, 'test'), 'encoder.text.quick_gelu': torch.tensor(False)}
        torch.save(dict(state_dict=ours), tmp_path / 'gelu.pth')
        message = "gelu.pth was trained with GELU, but code that reads CRIS's layout computes QuickGELU"
        with pytest.raises(ValueError, match=message):
            convert_toy(tmp_path / 'gelu.pth', tmp_path / 'out.pth', '--to', 'cris')
        del ours['encoder.text.quick_gelu']
        torch.save(dict(state_dict=ours), tmp_path / 'gelu.pth')
        with pytest.raises(KeyMapError, match='Missing: encoder.text.quick_gelu. Left over: none.$'):
            convert_toy(tmp_path / 'gelu.pth', tmp_path / 'out.pth', '--to', 'cris')

    def test_a_file_that_holds_more_than_tensors(self, convert_toy, weights, tmp_path):
        path, out = tmp_path / 'best_model.pth', tmp_path / 'out.pth'
        torch.save(dict(state_dict=weights, arguments=argparse.Namespace(epochs=50)), path)
        with pytest.raises(UnreadableCheckpointError, match='best_model.pth.*--trust reads it all the same'):
            convert_toy(path, out)
        convert_toy(path, out, '--trust')
        assert out.is_file()

    def test_a_suffix_of_no_format(self, best_model, tmp_path):
        with pytest.raises(ValueError, match='mmris is written to a file that ends with .pth or .safetensors, but out'):
            convert(CRIS, str(best_model), str(tmp_path / 'out.onnx'))
