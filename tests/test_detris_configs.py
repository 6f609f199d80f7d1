"""What the configs of DETRIS say, against the published settings."""

import pytest
from mmengine.config import Config

from tests.conftest import ROOT


def read(name: str) -> Config:
    return Config.fromfile(ROOT / f'configs/detris/{name}.py')


@pytest.mark.parametrize('name, epochs, milestones', [
    ('vit-b_refcoco', 65, [35, 55]),
    ('vit-b_refcoco+', 65, [35, 55]),
    ('vit-b_refcocog_umd', 65, [35, 55]),
    ('vit-b_refcocog_google', 50, [35]),
    ('vit-l_refcoco', 50, [35]),
    ('vit-l_refcoco+', 50, [35]),
    ('vit-l_refcocog_umd', 50, [35]),
    ('vit-l_refcocog_google', 50, [35]),
    ('vit-l_refcoco_mixed', 50, [35]),
])
def test_schedule(name, epochs, milestones):
    config = read(name)
    assert config.train_cfg.max_epochs == epochs
    assert config.param_scheduler == [
        dict(type='MultiStepLR', milestones=milestones, gamma=0.1, begin=0, end=epochs, by_epoch=True)
    ]
    assert config.optim_wrapper == dict(
        type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, weight_decay=0.0, fused=True))
    assert config.train_dataloader.batch_size * 8 == config.auto_scale_lr.base_batch_size == 32
    assert config.sync_bn == 'torch' and config.inputs.views.main == dict(type='Letterbox', size=448)


@pytest.mark.parametrize('name, image, blocks, widths, taps', [
    ('vit-b_refcoco', 'base', [2, 4, 6, 8, 10, 12], (128, 64), [5, 9, 12]),
    ('vit-l_refcocog_umd', 'large', [3, 7, 11, 15, 19, 23], (128, 64), [9, 17, 24]),
    ('vit-l_refcoco_mixed', 'large', list(range(2, 25)), (384, 384), [9, 17, 24]),
])
def test_adapters(name, image, blocks, widths, taps):
    encoder = read(name).model.encoder
    assert encoder.image.architecture == image and list(encoder.image.taps) == taps
    assert list(encoder.image_adapter_blocks) == blocks
    assert (encoder.image_adapter_channels, encoder.text_adapter_channels) == widths
    assert list(encoder.text_adapter_blocks) == (list(range(2, 13)) if 'mixed' in name else [2, 4, 6, 8, 10, 12])


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/detris').glob('*.py')), ids=lambda path: path.stem)
def test_length(path):
    """Of tokeniser and encoder alike."""
    config = Config.fromfile(path)
    expected = 22 if 'umd' in path.stem else 16 if 'shaperef' in path.stem else 17
    assert config.inputs.tokenizer.context_length == config.model.encoder.text_length == expected
    assert config.model.frozen == ([] if 'shaperef' in path.stem else ['encoder.image', 'encoder.text'])
