"""Parts of mmris in models of other OpenMMLab projects: the configs of docs/reuse.md, smaller."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry, init_default_scope
from mmengine.structures import PixelData

from mmris.registry import DATASETS, MODELS
from mmris.structures import FusedFeatures
from tests.conftest import ROOT, tiny_config

TOWERS = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=32, patch_size=16, width=32, head_width=16, layers=3),
    text_cfg=dict(context_length=24, vocab_size=49408, width=40, heads=2, layers=1))


def examples() -> dict:
    """The Python blocks of docs/reuse.md that begin with a file name."""
    blocks = re.findall(r'```python\n# (\S+\.py)\n(.*?)```', (ROOT / 'docs' / 'reuse.md').read_text(), re.DOTALL)
    return dict(blocks)


def model_config(name: str) -> Config:
    """An example's model without weights to download, at toy size."""
    model = Config.fromstring(examples()[name], '.py').model
    part = model.get('backbone') or model.encoder
    part.update(architecture=TOWERS, pretrained=None, taps=(3, ) if len(part.taps) == 1 else (1, 2, 3))
    return model


def train_one_step(model: torch.nn.Module, data: dict) -> dict:
    """A step of MMEngine's optimiser wrapper; checks that losses are finite and that what is trained changes."""
    model.init_weights()
    model.train()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    # Adam moves whatever has a gradient, however small that is.
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-2)))
    losses = model.train_step(data, wrapper)
    assert all(value.isfinite().all() for value in losses.values()) and losses['loss'] > 0
    still = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not still, f'These did not change: {still}'
    return losses


def segmentation_data() -> dict:
    from mmseg.structures import SegDataSample
    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(2):
        label = torch.randint(0, 19, (1, 64, 64), generator=generator)
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(img_shape=(64, 64))))
    inputs = [torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8) for _ in samples]
    return dict(inputs=inputs, data_samples=samples)


def expression_data(folder: Path) -> dict:
    loader = tiny_config().train_dataloader.dataset
    dataset = DATASETS.build(dict(loader, _scope_='mmris', data_root=str(folder), split='val'))
    packed = [dataset[index] for index in range(2)]
    return {name: [one[name] for one in packed] for name in ('inputs', 'data_samples')}


class TestFromMMSegmentation:

    @pytest.fixture(autouse=True)
    def scope(self, default_scope):
        init_default_scope('mmseg')
        torch.manual_seed(0)

    def test_its_model_on_our_backbone(self):
        config = model_config('clip_fcn.py')
        config.data_preprocessor.size = (64, 64)
        config.decode_head.update(in_channels=24, channels=8)
        config.auxiliary_head.update(in_channels=32, channels=8)
        losses = train_one_step(ROOT_MODELS.build(config), segmentation_data())
        assert {'decode.loss_ce', 'aux.loss_ce'} <= set(losses)

    def scoped_once(self) -> Config:
        config = model_config('referring_in_mmseg.py')
        config.neck.update(in_channels=(32, 32, 24), sentence_channels=24, out_channels=(8, 16, 16))
        config.decoder.update(channels=16, word_channels=40, num_layers=1, num_heads=2, feedforward_channels=16)
        config.head.update(channels=16, sentence_channels=24)
        config.distillation = Config.fromfile(ROOT / 'configs/_base_/models/masked_distillation.py').distillation
        return config

    def scoped_each(self) -> Config:

        def name(value):
            if isinstance(value, dict):
                value = {key: name(inner) for key, inner in value.items() if key != '_scope_'}
                if 'type' in value and '.' not in value['type']:
                    value['type'] = f'mmris.{value["type"]}'
            return value

        return Config(name(self.scoped_once().to_dict()))._cfg_dict

    @pytest.mark.parametrize('form', ['scoped_once', 'scoped_each'])
    def test_our_model(self, refer_set, form):
        config = getattr(self, form)()
        losses = train_one_step(ROOT_MODELS.build(config), expression_data(refer_set))
        assert {'loss_bce', 'loss_lmvsd', 'loss_vmlsd'} <= set(losses)

    def test_no_scope(self):
        config = self.scoped_once()
        config.pop('_scope_')
        with pytest.raises(KeyError, match='is not in the mmseg::model registry'):
            ROOT_MODELS.build(config)


class TestFromMMPretrain:

    def test_its_model_on_our_backbone(self, default_scope):
        init_default_scope('mmpretrain')
        torch.manual_seed(0)
        from mmpretrain.structures import DataSample
        config = model_config('clip_classifier.py')
        config.head.in_channels = 24
        inputs = torch.rand(4, 3, 48, 80)
        samples = [DataSample().set_gt_label(label) for label in range(4)]
        train_one_step(ROOT_MODELS.build(config), dict(inputs=inputs, data_samples=samples))


def test_a_part_of_another_package_in_our_model(refer_set):
    elsewhere = Registry('model', parent=ROOT_MODELS, scope='elsewhere')

    @elsewhere.register_module()
    class Pointwise(BaseModule):

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(channels, channels, 1)

        def forward(self, fused: FusedFeatures) -> FusedFeatures:
            return FusedFeatures(self.layer(fused.pixels), fused.words, fused.sentence, fused.token_mask)

    torch.manual_seed(0)
    config = tiny_config().model
    config.decoder = dict(type='elsewhere.Pointwise', channels=32)
    model = MODELS.build(config)
    losses = model.loss(**model.data_preprocessor(expression_data(refer_set), True))
    model.parse_losses(losses)[0].backward()
    assert model.decoder.layer.weight.grad.abs().sum() > 0


def run_python(code: str, folder: Path) -> str:
    """Run code in an interpreter of its own that has not imported mmris; its output, both streams."""
    done = subprocess.run([sys.executable, '-c', code],
                          cwd=folder,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_custom_imports_are_enough(tmp_path):
    """A tool of another project reads the example and builds what it names."""
    (tmp_path / 'clip_fcn.py').write_text(examples()['clip_fcn.py'])
    output = run_python(
        f'''
from mmengine.config import Config
from mmengine.registry import HOOKS, MODELS, init_default_scope
config = Config.fromfile('clip_fcn.py')
init_default_scope(config.default_scope)
config.model.backbone.update(architecture={TOWERS}, pretrained=None, taps=(1, 2, 3))
print(type(MODELS.build(config.model).backbone), type(HOOKS.build(config.custom_hooks[0])))
''', tmp_path)
    assert 'mmris.models.encoders.clip_backbone.CLIPBackbone' in output and 'NonFiniteLossHook' in output


def test_bases_from_another_tool(tmp_path):
    for name in ('load_mmris.py', 'from_another_tool.py', 'shorter.py'):
        (tmp_path / name).write_text(examples()[name])
    output = run_python(
        '''
from mmengine.config import Config
config = Config.fromfile('from_another_tool.py')
print(config.model.type, config.default_scope, Config.fromfile('shorter.py').train_cfg.max_epochs)
''', tmp_path)
    assert output.splitlines()[-1] == 'ReferringSegmentor mmris 2'
