"""Several sets as one to train on, by the project's own config, and one set at a time to evaluate on."""

import argparse
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmris.command_line.arguments import add_config_arguments
from mmris.datasets import ReferringSampler, exclusion
from mmris.datasets.published_counts import PUBLISHED_SETS
from mmris.datasets.refer_files import read_ref_images
from mmris.registry import DATASETS, RUNNERS
from mmris.utils.configs import read_config
from tests.conftest import ROOT, assert_same, tiny_config
from tests.datasets.refcoco_family import HELD_OUT, IN_TRAIN, write_family

CONFIG = ROOT / 'configs/_base_/datasets/refcoco_mixed.py'
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Resize', size=32),
    dict(type='Tokenize', tokenizer=dict(type='CLIPTokenizer', context_length=12)),
    dict(type='PackReferringInputs', masks=['gt_input']),
]


@pytest.fixture(scope='module')
def family(tmp_path_factory):
    return write_family(tmp_path_factory.mktemp('family') / 'data')


def configured(family, *arguments):
    """The base config, changed by the options of a command line."""
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    config = read_config(parser.parse_args([str(CONFIG), '--data-root', str(family), *arguments]))
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        # For each data set MMEngine would collect all garbage, for longer than these take to load.
        config[name].dataset.serialize_data = False
    return config


def build(family, **options):
    return DATASETS.build({**configured(family).train_dataloader.dataset, **options})


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


class TestTheConfig:

    def test_every_split_to_evaluate_on_is_excluded(self):
        """All but train, of every set and partition that was published."""
        exclude = Config.fromfile(CONFIG).train_dataloader.dataset.exclude
        published = {
            name: (f'{one.folder}/refs({one.by}).p', set(one.splits) - {'train'})
            for name, one in PUBLISHED_SETS.items()
        }
        assert {name: (one.refs_file, set(one.splits)) for name, one in exclude.items()} == published

    def test_no_excluded_image_is_left_in_any_set(self, family):
        dataset = build(family)
        held_out = {image for splits in HELD_OUT.values() for images in splits.values() for image in images}
        assert held_out == set(range(1, 9))
        for part in dataset.datasets:
            assert {info['img_id'] for info in infos(part)} == IN_TRAIN

    def test_what_is_excluded_is_read_once_for_all_sets(self, tmp_path, monkeypatch):
        family, read = write_family(tmp_path / 'data'), []
        monkeypatch.setattr(exclusion, 'read_ref_images',
                            lambda path, splits: read.append(path) or read_ref_images(path, splits))
        exclude = configured(family).train_dataloader.dataset.exclude
        assert len(build(family).datasets) == 3
        assert read == [str(family / one.refs_file) for one in exclude.values()]

    def test_each_set_alone_would_leak(self, family):
        """What one trains on, another evaluates on."""
        dataset = build(family, exclude=None)
        trained = {info['img_id'] for info in infos(dataset)}
        assert {image for splits in HELD_OUT.values() for image in splits.get('val', [])} <= trained

    def test_without_a_google_file(self, family, tmp_path):
        (family / 'refcoco/refs(google).p').rename(tmp_path / 'away')
        try:
            with pytest.raises(FileNotFoundError, match=r"google\).p is missing.* set exclude\['refcoco_google'\]"):
                build(family)
            config = configured(family, '--cfg-options', 'train_dataloader.dataset.exclude.refcoco_google=None')
            dataset = DATASETS.build(config.train_dataloader.dataset)
        finally:
            (tmp_path / 'away').rename(family / 'refcoco/refs(google).p')
        assert {info['img_id'] for info in infos(dataset)} == {4, 5} | IN_TRAIN

    def test_every_evaluation_is_of_its_own_split(self, family):
        config = configured(family)
        found = {}
        for name, changes in config.test_cfg.splits.items():
            dataset = DATASETS.build({**config.test_dataloader.dataset, **changes})
            files = (Path(dataset.refs_file).relative_to(family), Path(dataset.ann_file).relative_to(family))
            found[name] = (*map(str, files), sorted(info['img_id'] for info in infos(dataset)))
        wanted = {}
        for name, splits in HELD_OUT.items():
            folder, by = name.split('_')
            for split, images in splits.items():
                evaluation = f'{name}_{split}'.replace('_unc', '')
                wanted[evaluation] = (f'{folder}/refs({by}).p', f'{folder}/instances.json', sorted(images))
        # Nobody reports RefCOCO's Google partition.
        assert found == {name: entry for name, entry in wanted.items() if 'refcoco_google' not in name}
        assert config.val_dataloader.dataset.split == 'val'


class TestTheOptionsOfTheTools:

    def test_data_root_is_the_folder_of_all_sets(self, family):
        config = configured(family, '--image-folder', 'elsewhere')
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            assert loader.dataset.data_root == str(family) and loader.dataset.data_prefix.img_path == 'elsewhere'
        with pytest.raises(FileNotFoundError, match='elsewhere/COCO_train2014_000000000009.jpg, the image of ref 17'):
            DATASETS.build(config.train_dataloader.dataset)

    def test_one_refs_file_cannot_be_that_of_several_sets(self, family):
        with pytest.raises(ValueError, match=r'--refs-file names one refs file, but train_dataloader of .* mixes '
                           r'refcoco, refcoco\+, refcocog. .* train_dataloader.dataset.datasets.refcoco.refs_file='):
            configured(family, '--refs-file', 'refs(unc).p')
        changed = configured(family, '--cfg-options', 'train_dataloader.dataset.datasets.refcoco.refs_file=other.p')
        with pytest.raises(FileNotFoundError, match='data/other.p .* is missing'):
            DATASETS.build(changed.train_dataloader.dataset)


class TestTheDataset:

    @pytest.mark.parametrize('group_by, drawn, samples, expressions', [
        ('ref', 1, 24, 24),
        ('ref', None, 24, 72),
        ('image', 4, 12, 48),
        ('expression', None, 72, 72),
    ])
    def test_counts_and_groups(self, family, group_by, drawn, samples, expressions):
        dataset = build(family, group_by=group_by, expressions_per_image=drawn)
        assert len(dataset) == samples and dataset.num_expressions == expressions
        assert sum(len(info['text']) for info in infos(dataset)) == expressions
        assert dataset.split == 'train'

    def test_samples_are_those_of_the_sets_in_the_order_of_their_names(self, family):
        mixed = build(family, expressions_per_image=None)
        alone = []
        for folder, by in (('refcoco', 'unc'), ('refcoco+', 'unc'), ('refcocog', 'umd')):
            settings = dict(refs_file=f'{folder}/refs({by}).p', ann_file=f'{folder}/instances.json')
            shared = {key: value for key, value in configured(family).train_dataloader.dataset.items()
                      if key not in ('datasets', 'type', 'expressions_per_image')}
            alone += infos(DATASETS.build(dict(shared, type='RefCOCODataset', **settings)))
        assert infos(mixed) == alone
        names = configured(family).train_dataloader.dataset.datasets
        turned = build(family, expressions_per_image=None, datasets=dict(reversed(names.items())))
        assert list(turned.datasets[0].refs_file) == list(mixed.datasets[0].refs_file) and infos(turned) == alone

    def test_what_a_set_says_itself_goes_first_and_none_takes_one_back(self, family):
        names = configured(family).train_dataloader.dataset.datasets
        changed = {**names, 'refcoco': dict(names['refcoco'], group_by='image'), 'refcoco+': None}
        dataset = build(family, datasets=changed)
        assert [len(part) for part in dataset.datasets] == [4, 8]

    def test_samples_load(self, family):
        dataset = build(family, pipeline=PIPELINE, serialize_data=True)
        for index in (0, 8, 23, -1):
            packed = dataset[index]
            assert packed['inputs'].shape == (3, 32, 32) and packed['data_samples'].gt_input.shape == (1, 32, 32)

    def test_errors(self, family):
        with pytest.raises(ValueError, match='MixedDataset needs at least one data set'):
            build(family, datasets=dict(refcoco=None))
        with pytest.raises(ValueError, match='datasets of MixedDataset must be a dict of configs by name, but got'):
            build(family, datasets=[dict(refs_file='refcoco/refs(unc).p')])
        with pytest.raises(ValueError, match='MixedDataset is to train on: .* one set at a time: SplitTestLoop'):
            build(family, test_mode=True)


class TestDraws:

    @staticmethod
    def an_epoch(dataset, epoch, seed=0, workers=0):
        """Refs and sentences in the order in which they come, and what transforms could draw."""
        sampler = ReferringSampler(dataset, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)
        samples = [sample for batch in loader for sample in batch['data_samples']]
        return [(sample.img_path, sample.ref_ids, sample.sent_ids, sample.noise) for sample in samples]

    @pytest.fixture
    def noisy(self, family):
        """A mix whose samples carry a number that torch drew for them."""

        def draw(packed):
            packed['data_samples'].set_metainfo(dict(noise=torch.rand(()).item()))
            return packed

        return lambda: build(family, pipeline=[*PIPELINE, draw])

    def test_an_epoch_is_a_function_of_seed_and_epoch(self, noisy):
        one, other = noisy(), noisy()
        first = self.an_epoch(one, 0)
        assert len({sample[3] for sample in first}) == len(first) == 24
        second = self.an_epoch(one, 1)
        assert second != first and sorted(map(str, second)) != sorted(map(str, first))
        # Whatever was drawn before, and whichever process draws.
        assert self.an_epoch(other, 1) == second == self.an_epoch(other, 1, workers=2)
        assert self.an_epoch(one, 0) == first != self.an_epoch(one, 0, seed=1)

    def test_sets_draw_apart(self, family):
        """Samples of one index in two sets, here of the same ids, do not share their draws."""
        dataset = build(family)
        dataset.set_epoch(0)
        drawn = [[tuple(info['sent_ids']) for info in infos(part)] for part in dataset.datasets]
        assert drawn[0] != drawn[1] != drawn[2] != drawn[0]

    def test_runs_of_other_seeds_draw_otherwise(self, family):
        dataset = build(family)
        drawn = []
        for seed in (0, 1):
            ReferringSampler(dataset, seed=seed).set_epoch(0)
            drawn.append([info['sent_ids'] for info in infos(dataset)])
        assert drawn[0] != drawn[1]

    def test_every_expression_is_drawn_in_time(self, family):
        dataset = build(family)
        seen = set()
        for epoch in range(30):
            ReferringSampler(dataset, seed=0).set_epoch(epoch)
            seen.update((position // 8, *info['sent_ids']) for position, info in enumerate(infos(dataset)))
        assert len(seen) == 72


def small_run(family, folder, **changes) -> Config:
    """The demo's model on the mix: 6 batches an epoch, 2 epochs."""
    config, data = tiny_config(), configured(family)
    config.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        data[name].dataset.pipeline = config[name].dataset.pipeline
        data[name].update(batch_size=4, num_workers=0)
        config[name] = data[name]
    config.train_dataloader.dataset.expressions_per_image = 2
    config.test_cfg, config.test_evaluator = data.test_cfg, dict(type='ReferringIoUMetric')
    config.train_cfg.max_epochs, config.custom_hooks = 2, [dict(type='RestartHook')]
    config.update(work_dir=str(folder), experiment_name=f'mixed_{folder.name}', log_level='WARNING', **changes)
    return config


def test_a_run_trains_resumes_and_evaluates_each_set(family, tmp_path):
    """Resumed from a config that was written and read again, it ends with the same bits."""
    whole = RUNNERS.build(small_run(family, tmp_path / 'whole'))
    model = whole.train()
    (tmp_path / 'half').mkdir()
    taken = Path(shutil.copy(tmp_path / 'whole/epoch_1.pth', tmp_path / 'half'))
    written_at = taken.stat().st_mtime_ns
    small_run(family, tmp_path / 'half', resume='last').dump(tmp_path / 'written.py')
    written = Config.fromfile(tmp_path / 'written.py')
    written.experiment_name = 'mixed_resumed'
    runner = RUNNERS.build(written)
    assert_same(dict(runner.train().state_dict()), dict(model.state_dict()))
    assert runner.iter == 12 and taken.stat().st_mtime_ns == written_at
    metrics = whole.test()
    counted = {name.split('/')[0]: value for name, value in metrics.items() if name.endswith('/expressions')}
    # 6 expressions an image.
    assert counted == {
        'refcoco_val': 6, 'refcoco_testA': 6, 'refcoco_testB': 6, 'refcoco+_val': 6, 'refcoco+_testA': 6,
        'refcoco+_testB': 6, 'refcocog_umd_val': 6, 'refcocog_umd_test': 12, 'refcocog_google_val': 6
    }
