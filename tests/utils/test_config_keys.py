"""Options of a command line: what nothing reads is refused, what is read is not."""

import re

import pytest
from mmengine.config import Config

from mmris.datasets.pipelines import resolve_pipelines
from mmris.utils.config_keys import check_key, merge_options
from mmris.utils.type_parameters import parameters_of_type
from tests.conftest import ROOT, tiny_config

MIXED = 'shared_ris/beit3-l_mixed.py'


@pytest.mark.parametrize('key, nearest', [
    ('train_datalaoder.batch_size', 'train_dataloader'),
    ('train_dataloader.batchsize', 'train_dataloader.batch_size'),
    ('train_dataloader.dataset.expressions_per_imgae', 'train_dataloader.dataset.expressions_per_image'),
    ('inputs.views.main.sze', 'inputs.views.main.size'),
    ('inputs.tokeniser.context_length', 'inputs.tokenizer'),
    ('inputs.tokenizer.contex_length', 'inputs.tokenizer.context_length'),
    ('val_dataloader.sampler.shufle', 'val_dataloader.sampler.shuffle'),
    ('model.head.chanels', 'model.head.channels'),
    ('model.resamplin', 'model.resampling'),
    ('model.feature_cach', 'model.feature_cache'),
    ('model.encoder.activation_checkpoint', 'model.encoder.activation_checkpointing'),
    ('optim_wrapper.optimizer.learn', 'optim_wrapper.optimizer.lr'),
    ('optim_wrapper.clip_grad.maxnorm', 'optim_wrapper.clip_grad.max_norm'),
    ('default_hooks.checkpoint.max_keep', 'default_hooks.checkpoint.max_keep_ckpts'),
    ('custom_hooks.2.numbr', 'custom_hooks.2.number'),
    ('train_cfg.max_epoch', 'train_cfg.max_epochs'),
    ('test_cfg.splits.val.kontrol', 'test_cfg.splits.val.control'),
    ('randomness.sed', 'randomness.seed'),
    ('find_unused_parameter', 'find_unused_parameters'),
])
def test_a_key_that_nothing_reads(key, nearest):
    config = tiny_config()
    before = config.to_dict()
    with pytest.raises(ValueError) as error:
        merge_options(config, {'train_cfg.max_epochs': 7, key: 5})
    assert f'The option {key} would have no effect: ' in str(error.value)
    assert f' Did you mean {nearest}? To set it all the same, write +{key}=...' in str(error.value)
    assert config.to_dict() == before


@pytest.mark.parametrize('key', [
    'model.resampling', 'model.frozen', 'model.losses.more', 'model.distillation', 'find_unused_parameters', 'sync_bn',
    'train_dataloader.prefetch_factor', 'train_dataloader.dataset.lazy_init', 'train_dataloader.dataset.exclude',
    'optim_wrapper.accumulative_counts', 'optim_wrapper.paramwise_cfg', 'optim_wrapper.optimizer.betas',
    'env_cfg.dist_cfg.timeout', 'test_cfg.splits.more', 'test_cfg.splits.val.control', 'load_from', 'work_dir',
    'inputs.views.more', 'inputs.steps.load_image.upright', 'inputs.instance_masks.file',
    'default_hooks.more', 'test_evaluator.prefix', 'visualizer.vis_backends.0.save_dir', 'auto_scale_lr.enable',
])
def test_keys_that_are_read(key):
    check_key(tiny_config(), key)


def test_what_several_sets_have_in_common():
    config = Config.fromfile(ROOT / 'configs' / MIXED)
    for key in ('group_by', 'exclude.more', 'datasets.more', 'datasets.refcoco.control', 'test_mode'):
        check_key(config, f'train_dataloader.dataset.{key}')
    with pytest.raises(ValueError, match=r'dataset \(MixedDataset\) has no group_bi. Did you mean .*dataset.group_by?'):
        check_key(config, 'train_dataloader.dataset.group_bi')


def test_a_plus_sets_it_all_the_same():
    config = tiny_config()
    merge_options(config, {'+model.head.mine': 5, '+mine.more': 6, 'train_cfg.max_epochs': 7})
    assert config.model.head.mine == 5 and config.mine.more == 6 and config.train_cfg.max_epochs == 7


@pytest.mark.parametrize('key, message', [
    ('custom_hooks.9.number', 'asks for entry 9 of custom_hooks, which is a list with the entries 0 to 5'),
    ('custom_hooks.first', 'asks for entry first of custom_hooks, which is a list'),
    ('train_dataloader.dataset.split.x', "sets a part of train_dataloader.dataset.split, which is 'train' and has no"),
    ('xyzzy', 'the config has no xyzzy. It has data_root, .*, ....'),
])
def test_keys_without_a_near_one(key, message):
    with pytest.raises(ValueError, match=message):
        check_key(tiny_config(), key)


def typed_parts(value, where=''):
    """Parts of a config that have a type, by their place."""
    if isinstance(value, dict):
        if 'type' in value:
            yield where, value
        for name, part in value.items():
            yield from typed_parts(part, f'{where}.{name}')
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from typed_parts(part, f'{where}.{place}')


def test_whatever_the_configs_set_is_read():
    """Each key beside a type in the project's own configs would be taken as an option, had the config not had it."""
    # Other sets and sizes have the same keys, and reading all configs takes a minute.
    paths, seen = [*(ROOT / 'configs').glob('*/*_refcoco.py'), *(ROOT / 'configs').glob('*/*_shaperef*.py')], set()
    assert len(paths) >= 20
    for path in paths:
        config = Config.fromfile(path)
        resolve_pipelines(config)
        for where, part in typed_parts(config.to_dict()):
            taken = parameters_of_type(part['type'])
            # MMEngine takes this one out before it builds a scheduler.
            unknown = part.keys() - (taken or part.keys()) - {'type', 'convert_to_iter_based'}
            assert not unknown or where.endswith(('.optim_wrapper', '.init_cfg')), f'{path.name}: {where}: {unknown}'
            seen.add(part['type'])
    assert len(seen) > 60


def test_the_options_of_the_documentation():
    """Each command of a page that changes one of the project's configs."""
    commands = [match for page in (ROOT / 'docs').glob('*.md')
                for match in re.findall(r'(configs/\S+\.py) .*?--cfg-options (.+)', page.read_text())]
    assert len(commands) > 5
    for path, options in commands:
        merge_options(Config.fromfile(ROOT / path), dict(one.split('=') for one in options.split()))


def test_settings_of_a_feature_cache():
    config = tiny_config()
    merge_options(config, {'model.feature_cache.folder': 'features', 'model.feature_cache.dtype': 'float16'})
    assert config.model.feature_cache == dict(folder='features', dtype='float16')
    with pytest.raises(ValueError, match='model.feature_cache has no foldr. Did you mean model.feature_cache.folder'):
        check_key(config, 'model.feature_cache.foldr')


def test_settings_of_random_masks():
    config = Config.fromfile(ROOT / 'configs/maskris/ablations/masked-both.py')
    for key in ('view', 'image.block', 'words.ratio', 'words.vocabulary'):
        check_key(config, f'model.data_preprocessor.masking.{key}')
    with pytest.raises(ValueError, match='Did you mean model.data_preprocessor.masking.words?'):
        check_key(config, 'model.data_preprocessor.masking.word')
    branch = Config.fromfile(ROOT / 'configs/maskris/lavt_refcoco.py')
    for key in ('detach_teacher', 'share_weights', 'update_statistics', 'image.pattern', 'loss.divide_by'):
        check_key(branch, f'model.distillation.maskris.{key}')
    with pytest.raises(ValueError, match='Did you mean model.distillation.maskris.image.ratio?'):
        check_key(branch, 'model.distillation.maskris.image.ration')
