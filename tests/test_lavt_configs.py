"""Settings of LAVT's configs, as published."""

from typing import Dict

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmris.registry import MODELS
from tests.conftest import ROOT, tiny_config
from tests.test_configs import shrink

SETS = ['refcoco', 'refcoco+', 'refcocog_umd', 'refcocog_google']


def options_by_name(name: str) -> Dict[str, tuple]:
    """Rate and decay of each parameter, as the optimiser gets them, in a model of twelve layers of BERT."""
    config = Config.fromfile(ROOT / f'configs/{name}.py')
    shrunk = shrink(Config.fromfile(ROOT / f'configs/{name}.py'))
    shrunk.model.encoder.text.architecture.layers = 12
    model = MODELS.build(shrunk.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    found = {id(value): (group['lr'], group['weight_decay']) for group in wrapper.param_groups
             for value in group['params']}
    return {name: found[id(value)] for name, value in model.named_parameters()}


def test_rates_and_decay_as_published():
    """What the published optimiser lacks stays; Swin's norms and position tables do not decay, BERT's norms do."""
    for name, (rate, decay) in options_by_name('lavt/swin-b_refcoco').items():
        lacking = name.startswith(('encoder.text.word_embedding.', 'encoder.text.positions', 'encoder.text.types',
                                   'encoder.text.norm.', 'encoder.text.layers.10.', 'encoder.text.layers.11.'))
        in_backbone = name.startswith('encoder.') and not name.startswith('encoder.text.')
        plain = in_backbone and ('norm' in name or 'relative_position_bias_table' in name)
        assert rate == pytest.approx(0 if lacking else 5e-5), name
        assert decay == pytest.approx(0 if lacking or plain else 1e-2), name


def test_what_is_lacking_is_a_block_of_its_own():
    config = Config.fromfile(ROOT / 'configs/lavt/swin-b_refcoco.py')
    keys = config.optim_wrapper.paramwise_cfg.custom_keys
    assert set(config.left_out) < set(keys) and all(keys[name] == config.left_out[name] for name in config.left_out)
    assert {name for name, options in keys.items() if options.get('lr_mult', 1) == 0} == set(config.left_out)


@pytest.mark.parametrize('name', SETS)
def test_inputs(name):
    config = tiny_config(f'lavt/swin-b_{name}.py')
    assert config.train_dataloader.batch_size * 8 == config.auto_scale_lr.base_batch_size == 32
    assert config.train_cfg.max_epochs == 40 and config.sync_bn == 'torch'
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        assert loader.dataset.text_field == 'raw'
        assert (steps['PillowResize'].size, steps['PillowResize'].nearest_masks) == (480, True)
        tokenizer = steps['Tokenize'].tokenizer
        assert (tokenizer.type, tokenizer.context_length, tokenizer.keep_end) == ('WordPieceTokenizer', 20, False)
    assert config.train_dataloader.dataset.group_by == 'ref'
    assert config.train_dataloader.dataset.expressions_per_image == 1


def test_without_weights_of_bert(tmp_path):
    """What the inputs' comment says."""
    path = tmp_path / 'other_words.py'
    path.write_text(f"""
_base_ = {str(ROOT / 'configs/lavt/swin-b_refcoco.py')!r}
inputs = dict(tokenizer=dict(_delete_=True, type='CLIPTokenizer', context_length=20))
model = dict(encoder=dict(text=dict(pretrained=None, architecture=dict(vocabulary=49408))))
""")
    text = MODELS.build(Config.fromfile(path).model.encoder.text)
    assert (text.word_embedding.num_embeddings, len(text.layers), text.word_channels) == (49408, 12, 768)
