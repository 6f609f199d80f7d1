"""MaIL's configs differ in what their names say, and in nothing else."""

import pytest
from mmengine.config import Config

from mmris.utils.config_comparison import compare
from tests.conftest import ROOT, tiny_config

MAIL = ROOT / 'configs/mail'
PAIRS = ['tiny_shaperef', *(f'vilt-b_{data}' for data in ('refcoco', 'refcoco+', 'refcocog_umd', 'refcocog_google'))]
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
WITHOUT_SELECTION = ['- model.auxiliary_losses.selection.type: \'MaskSelectionLoss\'', '+ model.auxiliary_losses: None']


def differences(first: str, second: str) -> list:
    """Between two configs, but for the folder that each works in."""
    configs = [Config.fromfile(MAIL / f'{name}.py').to_dict() for name in (first, second)]
    return [line for line in compare(*configs) if ' work_dir: ' not in line]


@pytest.mark.parametrize('name', PAIRS)
def test_two_modalities(name):
    """No masks in data and model, and all else the same: data, size, words, schedule, losses of the mask."""
    first, second = (tiny_config(f'mail/{one}.py') for one in (name, f'{name}_two-modality'))
    model = [line for line in differences(name, f'{name}_two-modality') if line[2:].startswith('model.')]
    assert model == [
        '  model.encoder.masks: True -> False',
        '  model.decoder.mask_selection: True -> False',
        *WITHOUT_SELECTION,
    ]
    for loader in LOADERS:
        assert first[loader].dataset.instance_masks.file and 'instance_masks' not in second[loader].dataset
        pipelines = [[dict(step) for step in config[loader].dataset.pipeline] for config in (first, second)]
        for step in pipelines[0]:
            if step['type'] == 'PackReferringInputs':
                step['masks'] = [one for one in step['masks'] if one != 'instance_iou']
        kept = [step for step in pipelines[0] if step['type'] not in ('LoadInstanceMasks', 'MatchInstances')]
        assert kept == pipelines[1] and len(kept) < len(pipelines[0])
        for config in (first, second):
            del config[loader].dataset.pipeline
            config[loader].dataset.pop('instance_masks', None)
        assert first[loader] == second[loader]
    schedule = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'default_hooks')
    assert all(first[key] == second[key] for key in schedule)


@pytest.mark.parametrize('name, expected', [
    ('tiny_shaperef_shuffled-masks', [f'+ {loader}.dataset.control: \'shuffled_masks\'' for loader in LOADERS]),
    ('ablations/shaperef_no-selection', ['  model.decoder.mask_selection: True -> False', *WITHOUT_SELECTION]),
    ('ablations/shaperef_no-selection-loss', WITHOUT_SELECTION),
])
def test_one_thing_changed(name, expected):
    assert differences('tiny_shaperef', name) == expected
