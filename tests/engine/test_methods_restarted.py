"""Every method, in mixed precision and with accumulated batches, goes on after an interruption as if there was none."""

import pytest
from mmengine.config import Config

from mmris.utils.launching import enable_mixed_precision
from mmris.utils.pretrained import forget_pretrained
from tests.conftest import assert_same
from tests.engine.test_restarts import small_config, train
from tests.test_configs import TOY_SWIN

METHODS = ('cm_masksd/vit-tiny_shaperef', 'cris/rn-tiny_shaperef', 'shared_ris/tiny_shaperef',
           'risclip/vit-tiny_shaperef_stage2', 'mail/tiny_shaperef', 'evf_sam/tiny_shaperef', 'detris/tiny_shaperef',
           'lavt/tiny_shaperef', 'timm')


def config_of(method: str, folder, work_dir: str, **changes) -> Config:
    name = 'cm_masksd/vit-tiny_shaperef' if method == 'timm' else method
    config = small_config(
        folder, work_dir, f'{name}.py', **{'optim_wrapper.accumulative_counts': 2, **changes})
    config.load_from = None
    forget_pretrained(config.model)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.default_hooks.checkpoint.update(interval=1, save_best=None)
    if method == 'timm':
        config.model.encoder.pop('taps', None)
        config.model.encoder.image = dict(TOY_SWIN)
        config.model.neck.in_channels = (16, 32, config.model.encoder.architecture.embed_dim)
    enable_mixed_precision(config, 'bfloat16')
    return config


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_same_bits(tmp_path, method):
    whole = train(config_of(method, tmp_path, 'whole', **{'train_cfg.max_epochs': 2}))
    more = {'train_cfg.max_epochs': 2}
    train(config_of(method, tmp_path, 'parts', **more), interrupt_before=8)
    resumed = train(config_of(method, tmp_path, 'parts', resume=True, **more))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(whole[part], resumed[part])
