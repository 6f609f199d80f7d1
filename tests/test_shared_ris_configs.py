"""The configs of Shared-RIS say what the paper says, and its ablations differ in what they are called by."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmris.datasets.pipelines import resolve_pipelines
from tests.conftest import ROOT

FOLDER = ROOT / 'configs/shared_ris'
# The paper's; gRefCOCO is not among its sets.
MAIN = sorted(path.stem for path in FOLDER.glob('beit3-*.py') if 'grefcoco' not in path.stem)
# By size, what the paper or BEiT-3 says of it.
ENCODERS = dict(
    b=dict(architecture='base', pretrained='data/beit3_base_patch16_224.pth', taps=(3, 6, 9, 12)),
    l=dict(architecture='large', pretrained='data/beit3_large_patch16_224.pth', taps=(6, 12, 18, 24)))
WIDTHS = dict(b=768, l=1024)


def read(path: Path) -> dict:
    config = Config.fromfile(path)
    resolve_pipelines(config)
    return config.to_dict()


def test_main_configs():
    sets = ('refcoco', 'refcoco+', 'refcocog_umd', 'refcocog_google')
    assert MAIN == sorted([*(f'beit3-{size}_{name}' for size in 'bl' for name in sets), 'beit3-l_mixed'])


@pytest.mark.parametrize('name', MAIN)
def test_model(name):
    model, size = read(FOLDER / f'{name}.py')['model'], name[len('beit3-')]
    assert model == dict(
        type='ReferringSegmentor',
        data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3),
        encoder=dict(type='BEiT3Encoder', norm_last_stage=True, drop_path=0.1, **ENCODERS[size]),
        neck=dict(type='SharedFPN', in_channels=(WIDTHS[size], ) * 4, channels=512, num_heads=8),
        decoder=dict(type='SharedMaskDecoder', channels=512, num_layers=1, num_heads=8, mlp_ratio=4),
        head=dict(type='SimilarityHead', channels=512),
        losses=dict(
            bce=dict(type='BinaryCrossEntropyLoss', loss_weight=2.0), dice=dict(type='DiceLoss', loss_weight=0.5)),
        target_resize='area',
        max_expressions=16)


@pytest.mark.parametrize('name', MAIN)
def test_training(name):
    config = read(FOLDER / f'{name}.py')
    assert config['optim_wrapper'] == dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.98), weight_decay=5e-4, fused=True),
        clip_grad=dict(max_norm=1.0))
    schedule, = config['param_scheduler']
    assert schedule == dict(
        type='CosineAnnealingLR', begin=0, end=35, T_max=35, eta_min=0, by_epoch=True, convert_to_iter_based=True)
    assert config['train_cfg'] == dict(type='EpochBasedTrainLoop', max_epochs=35, val_interval=1)
    assert config['train_dataloader']['batch_size'] * 8 == config['auto_scale_lr']['base_batch_size'] == 112
    train = config['train_dataloader']['dataset']
    assert (train['group_by'], train['expressions_per_image']) == ('ref', 1)


@pytest.mark.parametrize('name', MAIN)
def test_inputs(name):
    config = read(FOLDER / f'{name}.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        steps = {step['type']: step for step in config[loader]['dataset']['pipeline']}
        assert steps['Resize'] == dict(type='Resize', size=480) and 'Letterbox' not in steps
        assert steps['Tokenize']['tokenizer'] == dict(
            type='BEiT3Tokenizer', context_length=20, vocabulary='data/beit3.spm')


# What each says otherwise than the final model on RefCOCO+, by dotted keys of the model.
ABLATIONS = {
    'decoder_bidirectional': {'decoder.fusion': 'bidirectional'},
    'decoder_cross-attention': {'decoder.fusion': 'cross_attention'},
    'decoder_layers-2': {'decoder.num_layers': 2},
    'decoder_layers-3': {'decoder.num_layers': 3},
    'encoder_only': {
        'neck': dict(type='ProjectionNeck', in_channels=768, channels=512),
        'decoder.num_layers': 0
    },
    'fpn_bidirectional': {'neck.fusion': 'bidirectional'},
    'fpn_cris': {
        'encoder.taps': (4, 8, 12),
        'neck': dict(
            type='CRISNeck', in_channels=(768, ) * 3, sentence_channels=768, out_channels=(256, 512, 1024)),
        'decoder.word_channels': 768
    },
    'fpn_cross-attention': {'neck.fusion': 'cross_attention'},
    'fpn_pwam': {
        'neck': dict(type='PWAMNeck', in_channels=(768, ) * 4, channels=512),
        'decoder.word_channels': 768
    },
    'fpn_stages-4-8-12': {'encoder.taps': (4, 8, 12), 'neck.in_channels': (768, ) * 3},
    'fpn_stages-6-12': {'encoder.taps': (6, 12), 'neck.in_channels': (768, ) * 2},
    'no-decoder-layer': {'decoder.num_layers': 0},
    'no-fpn': {'neck': dict(type='ProjectionNeck', in_channels=768, channels=512)},
}


def test_all_ablations_are_in_the_table():
    assert sorted(path.stem for path in (FOLDER / 'ablations').glob('*.py')) == sorted(ABLATIONS)


@pytest.mark.parametrize('name', ABLATIONS)
def test_ablation(name):
    """The final model's config but for that, to the last key."""
    expected = read(FOLDER / 'beit3-b_refcoco+.py')
    for key, value in ABLATIONS[name].items():
        part, _, entry = key.partition('.')
        if entry:
            expected['model'][part][entry] = value
        else:
            expected['model'][part] = value
    assert read(FOLDER / f'ablations/{name}.py') == expected
