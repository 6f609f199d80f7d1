"""What is checked of a config's metrics before a training."""

import pytest
from mmengine.config import Config

from mmris.evaluation import ReferringIoUMetric, check_save_best
from mmris.registry import RUNNERS
from tests.conftest import ROOT

OWN = dict(type='ReferringIoUMetric')


class Other(ReferringIoUMetric):
    """May give other scores."""


def config_of(protocol: str, save_best: object, evaluator: object = OWN, train_cfg: object = True) -> dict:
    return dict(
        model=dict(protocol=protocol), train_cfg=dict(max_epochs=1) if train_cfg else None, val_evaluator=evaluator,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best=save_best)))


@pytest.mark.parametrize('protocol, save_best, evaluator', [
    ('mmris', 'mIoU', OWN), ('rela', 'gIoU', OWN), ('rela', ['cIoU', 'N-acc'], [OWN]), ('rela', 'auto', OWN),
    ('rela', None, OWN), ('ref_zom', 'Acc', dict(type='Evaluator', metrics=[OWN])),
    ('rela', 't7/gIoU', [OWN, dict(OWN, prefix='t7')]), ('rela', 'skill/colour/gIoU', dict(OWN, by_skill=True)),
    ('rela', 'mIoU', dict(type=Other)), ('rela', 'mIoU', [OWN, dict(type='IoUMetric')]), ('rela', 'mIoU', None),
])
def test_scores_that_there_are_or_may_be(protocol, save_best, evaluator):
    check_save_best(config_of(protocol, save_best, evaluator))


@pytest.mark.parametrize('protocol, save_best, evaluator, names', [
    ('rela', 'mIoU', OWN, 'cIoU, gIoU, N-acc, T-acc, Pr@0.7, Pr@0.8, Pr@0.9, such as .*save_best=gIoU'),
    ('mmris', 'gIoU', OWN, 'oIoU, mIoU, Pr@0.5, .*save_best=mIoU'),
    ('lisa', 'mIoU', dict(OWN, prefix='t7'), 't7/cIoU, t7/gIoU, such as .*save_best=t7/gIoU'),
    ('lisa', ['gIoU', 'mIoU'], [OWN], 'cIoU, gIoU'),
    ('mmris', 'skill/colour/mIoU', OWN, 'oIoU, mIoU'),
])
def test_scores_that_there_are_not(protocol, save_best, evaluator, names):
    with pytest.raises(ValueError, match=f"save_best is '.*', but protocol {protocol} gives no .* one of {names}"):
        check_save_best(config_of(protocol, save_best, evaluator))
    # A test saves nothing.
    check_save_best(config_of(protocol, save_best, evaluator, train_cfg=False))


def test_before_a_training(tmp_path):
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    config.merge_from_dict({'model.protocol': 'rela', 'work_dir': str(tmp_path / 'work')})
    with pytest.raises(ValueError, match="default_hooks.checkpoint.save_best is 'mIoU', but protocol rela gives no"):
        RUNNERS.build(config)
    config.merge_from_dict({'model.protocol': 'mmris', 'test_evaluator.existence_threshold': 0.7})
    with pytest.raises(ValueError, match='Protocol mmris does not ask whether anything fits a sentence'):
        RUNNERS.build(config)
    assert not (tmp_path / 'work').exists()
