"""A run that was interrupted and resumed ends with the same bits; what a checkpoint is; what stops a run."""

import copy
import itertools
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from mmris.checkpoints import UnreadableCheckpointError, find_checkpoints, read_checkpoint
from mmris.engine import NonFiniteLossError
from mmris.engine.hooks import non_finite_loss_hook
from mmris.registry import MODELS, RUNNERS
from tests.conftest import assert_same, tiny_config, write_set

NAMES = itertools.count()


class InterruptionError(Exception):
    """Stands for a kill."""


class InterruptHook(Hook):
    """Interrupts before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.step:
            raise InterruptionError


def small_config(folder: Path, work_dir: str, name: str = 'cm_masksd/vit-tiny_shaperef.py', **changes) -> Config:
    """Six batches an epoch, three epochs, no data workers."""
    config = tiny_config(name)
    if not (folder / 'set').exists():
        write_set(folder / 'set', images=12, sentences=2)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(batch_size=2, num_workers=0)
        loader.dataset.update(data_root=str(folder / 'set'), split='val')
    config.train_dataloader.dataset.expressions_per_image = 2
    config.train_cfg.max_epochs = 3
    config.param_scheduler = [dict(type='CosineAnnealingLR', T_max=18, by_epoch=False)]
    config.update(test_dataloader=None, test_cfg=None, test_evaluator=None)
    config.update(work_dir=str(folder / work_dir), experiment_name=f'test_{next(NAMES)}', log_level='WARNING')
    config.train_cfg = changes.pop('train_cfg', config.train_cfg)
    config.train_dataloader.sampler = changes.pop('sampler', config.train_dataloader.sampler)
    config.merge_from_dict(changes)
    return config


def train(config: Config, interrupt_before: int = None) -> dict:
    """Train; the last checkpoint."""
    runner = RUNNERS.build(config)
    if interrupt_before is not None:
        runner.register_hook(InterruptHook(interrupt_before), priority='LOWEST')
        with pytest.raises(InterruptionError):
            runner.train()
    else:
        runner.train()
    return read_checkpoint(find_checkpoints(config.work_dir)[0])


VARIANTS = {
    'epochs': {},
    # The resumed run finds what the killed one had stored.
    'feature_cache': {
        'model.frozen': ['encoder.image'],
        'model.feature_cache': dict(dtype='float16'),
    },
    # Six batches an epoch and four of them a step: the last step of an epoch has two.
    'accumulated_ema': {
        'optim_wrapper.accumulative_counts': 4,
        'custom_hooks': [dict(type='RestartHook'), dict(type='EMAHook', momentum=0.1)],
    },
    'draws_and_existence': {
        'sampler': dict(type='ReferringSampler', shuffle=True, draws=12),
        'optim_wrapper.accumulative_counts': 2,
        'model.existence': dict(type='ExistenceHead', channels=32, sentence_channels=96),
        'model.protocol': 'rela',
        'default_hooks.checkpoint.save_best': 'gIoU',
    },
    'iterations': {
        'train_cfg': dict(type='IterBasedTrainLoop', max_iters=14, val_interval=4),
        'sampler': dict(type='InfiniteSampler', shuffle=True),
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 4,
    },
}


# The first one stands for all in `make test`.
@pytest.mark.parametrize('variant', ['epochs', *(pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS
                                                if name != 'epochs')])
def test_resumed_equals_uninterrupted(tmp_path, variant):
    def config(work_dir: str, **more) -> Config:
        changed = small_config(tmp_path, work_dir, **copy.deepcopy(VARIANTS[variant]), **more)
        if 'feature_cache' in changed.model:
            changed.model.feature_cache.folder = str(tmp_path / f'features_of_{work_dir}')
        return changed

    whole = train(config('whole'))
    train(config('parts'), interrupt_before=7)
    train(config('parts', resume=True), interrupt_before=13)
    resumed = train(config('parts', resume=True))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(whole[part], resumed[part])
    best, same_best = (next((tmp_path / name).glob('best_*.pth')) for name in ('whole', 'parts'))
    assert best.name == same_best.name
    assert_same(read_checkpoint(best)['state_dict'], read_checkpoint(same_best)['state_dict'])


def test_steps_draw_apart_and_the_seed_matters(tmp_path):
    def draws(**changes) -> list:
        runner = RUNNERS.build(small_config(tmp_path, 'draws', **changes))
        found = []

        class Look(Hook):

            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                found.append((float(torch.rand(1)), random.random(), float(np.random.rand())))

        runner.register_hook(Look(), priority='LOWEST')
        runner.train()
        return found

    first, other = draws(), draws(**{'randomness.seed': 1})
    numbers = [number for step in first + other for number in step]
    assert len(first) == 18 and len(set(numbers)) == len(numbers)


class TestOwedValidation:

    @pytest.mark.parametrize('interrupted', ['before', 'after'])
    def test_runs_before_training_goes_on(self, tmp_path, interrupted):
        """Cut off after the checkpoint: the validation is made up for. Done already: it is not repeated."""

        class Cut(Hook):
            priority = 'LOWEST'

            def before_val_epoch(self, runner):
                if interrupted == 'before':
                    raise InterruptionError

            def before_train_epoch(self, runner):
                if interrupted == 'after' and runner.epoch == 1:
                    raise InterruptionError

        runner = RUNNERS.build(small_config(tmp_path, 'work'))
        runner.register_hook(Cut())
        with pytest.raises(InterruptionError):
            runner.train()

        validated = []

        class Note(Hook):

            def after_val_epoch(self, runner, metrics=None):
                validated.append(runner.epoch)

        runner = RUNNERS.build(small_config(tmp_path, 'work', resume=True))
        runner.register_hook(Note())
        runner.train()
        assert validated == ([1, 2, 3] if interrupted == 'before' else [2, 3])


class TestTornCheckpoints:

    def test_the_one_before_is_taken(self, tmp_path, caplog):
        whole = train(small_config(tmp_path, 'whole'))
        train(small_config(tmp_path, 'torn'), interrupt_before=13)
        last = tmp_path / 'torn' / 'epoch_2.pth'
        last.write_bytes(last.read_bytes()[:-1000])
        (tmp_path / 'torn' / '.epoch_3-abcdefgh.pth').write_bytes(b'half')
        config = small_config(tmp_path, 'torn', resume=True)
        resumed = train(config)
        log = ''.join(path.read_text() for path in Path(config.work_dir).glob('*/*.log'))
        assert f'{last} cannot be read as a checkpoint: it is truncated' in log
        assert 'Trying the checkpoint before it.' in log
        assert_same(whole['state_dict'], resumed['state_dict'])
        assert not list((tmp_path / 'torn').glob('.*'))

    def test_a_copied_folder_goes_on_from_its_own(self, tmp_path):
        """Where its last one was taken out of it, to go on from an earlier one: not where it was copied from."""
        train(small_config(tmp_path, 'first'))
        shutil.copytree(tmp_path / 'first', tmp_path / 'branch')
        (tmp_path / 'branch' / 'epoch_3.pth').unlink()
        assert find_checkpoints(tmp_path / 'branch')[0] == tmp_path / 'branch' / 'epoch_2.pth'

    def test_all_torn_is_an_error(self, tmp_path):
        train(small_config(tmp_path, 'work'), interrupt_before=7)
        (tmp_path / 'work' / 'epoch_1.pth').write_bytes(b'')
        with pytest.raises(UnreadableCheckpointError, match=r'None of the checkpoints in .*work is whole: epoch_1.pth'):
            train(small_config(tmp_path, 'work', resume=True))

    def test_which_are_found(self, tmp_path):
        for name in ('epoch_9.pth', 'epoch_10.pth', 'epoch_100.pth', 'iter_7.pth', 'best_mIoU_epoch_10.pth', 'x.pth'):
            (tmp_path / name).touch()

        def found() -> list:
            return [path.name for path in find_checkpoints(tmp_path)]

        assert found() == ['epoch_100.pth', 'epoch_10.pth', 'epoch_9.pth', 'iter_7.pth']
        # Of an earlier run of 100 epochs in this folder.
        (tmp_path / 'last_checkpoint').write_text('somewhere/else/epoch_10.pth')
        assert found() == ['epoch_10.pth', 'epoch_9.pth']
        # Killed while it wrote this.
        (tmp_path / 'last_checkpoint').write_text('')
        assert found()[0] == 'epoch_100.pth'

    def test_nothing_to_resume_from_begins_anew(self, tmp_path):
        config = small_config(tmp_path, 'new', resume=True, **{'train_cfg.max_epochs': 1})
        assert train(config)['meta']['epoch'] == 1

    def test_a_failing_write_keeps_the_earlier_checkpoint(self, tmp_path, monkeypatch):
        runner = RUNNERS.build(small_config(tmp_path, 'work', **{'train_cfg.max_epochs': 1}))
        runner.train()
        path = tmp_path / 'work' / 'epoch_1.pth'
        before = path.read_bytes()

        def fail(backend, content, name):
            Path(name).write_bytes(content[:1000])
            raise OSError('No space left on device')

        monkeypatch.setattr(LocalBackend, 'put', fail)
        with pytest.raises(OSError, match='No space left'):
            runner.save_checkpoint(str(path.parent), path.name)
        assert path.read_bytes() == before and not list(path.parent.glob('.*'))

    def test_damage_in_the_middle_is_seen(self, tmp_path):
        train(small_config(tmp_path, 'work', **{'train_cfg.max_epochs': 1}))
        path = tmp_path / 'work' / 'epoch_1.pth'
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle:middle + 8] = bytes(255 - byte for byte in content[middle:middle + 8])
        path.write_bytes(content)
        with pytest.raises(UnreadableCheckpointError, match='epoch_1.pth is damaged: the sum of'):
            read_checkpoint(path)


class TestWhatIsResumed:
    """A checkpoint runs no code, and is not resumed by another kind of run."""

    @pytest.fixture
    def checkpoint(self, tmp_path) -> Path:
        averaged = [dict(type='RestartHook'), dict(type='EMAHook')]
        train(small_config(tmp_path, 'work', custom_hooks=averaged), interrupt_before=7)
        return tmp_path / 'work' / 'epoch_1.pth'

    def resume(self, tmp_path, **changes) -> dict:
        changes = {'custom_hooks': [dict(type='RestartHook'), dict(type='EMAHook')], **changes}
        return train(small_config(tmp_path, 'work', resume='last', **changes))

    def test_no_code_is_run(self, tmp_path, checkpoint):
        content = read_checkpoint(checkpoint)
        content['meta']['config'] = f'import pathlib; pathlib.Path({str(tmp_path / "made")!r}).touch()'
        torch.save(content, checkpoint)
        assert self.resume(tmp_path)['meta']['epoch'] == 3 and not (tmp_path / 'made').exists()

    def test_averages_are_not_left_out(self, tmp_path, checkpoint):
        with pytest.raises(ValueError, match='was trained with averaged weights, which the run .* Add --ema'):
            self.resume(tmp_path, custom_hooks=[dict(type='RestartHook')])

    @pytest.mark.parametrize('changes, now', [({'train_dataloader.batch_size': 3}, '1 x 3 x 1'),
                                              ({'optim_wrapper.accumulative_counts': 2}, '1 x 2 x 2')])
    def test_other_samples_a_step(self, tmp_path, checkpoint, changes, now):
        message = f'1 processes x 2 samples x 1 accumulated batches a step, and would go on with {now}: its schedule'
        with pytest.raises(ValueError, match=message):
            self.resume(tmp_path, **changes)

    def test_what_a_training_begins_from_is_loaded_where_there_is_nothing_to_resume(self, tmp_path, checkpoint):
        config = small_config(tmp_path, 'other', resume='last', load_from=str(checkpoint))
        runner = RUNNERS.build(config)
        runner.register_hook(InterruptHook(0))
        with pytest.raises(InterruptionError):
            runner.train()
        assert_same(dict(runner.model.state_dict()), dict(read_checkpoint(checkpoint)['state_dict']))


class TestWhereATrainingBegins:

    @staticmethod
    def begin(tmp_path, load_from: object, **changes) -> dict:
        runner = RUNNERS.build(small_config(tmp_path, 'other', load_from=str(load_from), **changes))
        runner.register_hook(InterruptHook(0))
        with pytest.raises(InterruptionError):
            runner.train()
        return dict(runner.model.state_dict())

    @pytest.mark.parametrize('resume', [False, 'last'])
    def test_the_best_of_another_work_folder(self, tmp_path, resume):
        train(small_config(tmp_path, 'work'), interrupt_before=7)
        best = next((tmp_path / 'work').glob('best_*.pth'))
        content = read_checkpoint(best)
        content['state_dict']['head.kernel_projection.bias'] += 1
        torch.save(content, best)
        begun = self.begin(tmp_path, tmp_path / 'work', resume=resume)
        assert_same(begun, dict(content['state_dict']))

    @pytest.mark.parametrize('given', ['none', 'own'])
    def test_copies_of_distillation_branches(self, tmp_path, given):
        """They begin as the stages that were loaded, unless the checkpoint has them too."""
        config = small_config(tmp_path, 'other')
        config.model.distillation.lmvsd.share_weights = False
        stages, copies = 'neck.', 'distillation.lmvsd.stages.0.'
        state = {
            key: value + 1 if key.startswith(stages) else value
            for key, value in MODELS.build(config.model).state_dict().items()
        }
        loaded = {key: value for key, value in state.items() if given == 'own' or not key.startswith('distillation.')}
        torch.save(dict(state_dict=loaded), tmp_path / 'start.pth')
        share = {'model.distillation.lmvsd.share_weights': False}
        begun = self.begin(tmp_path, tmp_path / 'start.pth', **share)
        expected = stages if given == 'none' else copies
        names = [key.removeprefix(stages) for key in state if key.startswith(stages)]
        assert names and all(torch.equal(begun[f'{copies}{name}'], state[f'{expected}{name}']) for name in names)

    @pytest.mark.parametrize('averaged', [False, True])
    def test_weights_alone(self, tmp_path, averaged):
        state = dict(MODELS.build(tiny_config().model).state_dict())
        torch.save(state, tmp_path / 'start.pth')
        hooks = [dict(type='EMAHook')] if averaged else []
        assert_same(self.begin(tmp_path, tmp_path / 'start.pth', custom_hooks=hooks), state)

    def test_all_is_frozen(self, tmp_path):
        frozen = {'model.frozen': ['encoder', 'neck', 'decoder', 'head'], 'model.distillation': None}
        with pytest.raises(ValueError, match='There is nothing to train: model.frozen names all of the model. Name'):
            RUNNERS.build(small_config(tmp_path, 'work', **frozen)).train()

    def test_less_than_a_batch(self, tmp_path):
        config = small_config(tmp_path, 'work', **{'train_dataloader.batch_size': 64})
        message = 'The training set has 12 samples, too few for a batch of 64 on each of 1 processes, so an epoch would'
        with pytest.raises(ValueError, match=message):
            RUNNERS.build(config).train()

    def test_nothing_there(self, tmp_path):
        message = (r'load_from=.*work. is neither a checkpoint nor the work folder of a training. Train the stage that '
                   r'leaves it first, or name a file: --cfg-options load_from=FILE')
        with pytest.raises(FileNotFoundError, match=message):
            self.begin(tmp_path, tmp_path / 'work')
        (tmp_path / 'work').mkdir()
        with pytest.raises(FileNotFoundError, match='There is no best_.*.pth in .*work'):
            self.begin(tmp_path, tmp_path / 'work')


class TestNonFiniteLoss:

    def test_stops_before_anything_is_spoiled(self, tmp_path):
        runner = RUNNERS.build(small_config(tmp_path, 'work'))
        weights = {}

        class Spoil(Hook):

            def before_train_iter(self, runner, batch_idx, data_batch=None):
                weights.update({name: value.clone() for name, value in runner.model.named_parameters()})
                if runner.iter == 8:
                    data_batch['inputs'] = [torch.full_like(one, float('nan'), dtype=torch.float32)
                                            for one in data_batch['inputs']]
                    self.ids = [str(sample.img_id) for sample in data_batch['data_samples']]

        spoil = Spoil()
        runner.register_hook(spoil)
        with pytest.raises(NonFiniteLossError) as caught:
            runner.train()
        message = str(caught.value)
        assert 'The loss is not finite at step 9 (epoch 2, rank 0): loss_bce=nan' in message
        assert f'Images of this batch: {", ".join(spoil.ids)}.' in message
        assert f'The last good checkpoint is {tmp_path / "work" / "epoch_1.pth"}.' in message
        assert all(torch.equal(weights[name], value) for name, value in runner.model.named_parameters())

    def test_spoiled_weights_are_not_saved(self, tmp_path):
        runner = RUNNERS.build(small_config(tmp_path, 'work'))

        class Spoil(Hook):

            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                if runner.iter == 11:
                    runner.model.head.kernel_projection.weight.data[0, 0] = float('inf')

        runner.register_hook(Spoil())
        with pytest.raises(NonFiniteLossError, match='1 weights are not finite after step 12, head.kernel_projection'):
            runner.train()
        assert [path.name for path in find_checkpoints(tmp_path / 'work')] == ['epoch_1.pth']


    def test_batches_of_other_projects(self):
        assert non_finite_loss_hook._images([torch.zeros(1), torch.zeros(1)]) == 'not known'


@pytest.mark.parametrize('changes, message', [
    # MMEngine's own loop, by its type: the registry's name stands for the one that can begin within an epoch.
    ({'default_hooks.checkpoint.by_epoch': False, 'train_cfg.type': EpochBasedTrainLoop},
     'by_epoch=False, but EpochBasedTrainLoop counts epochs and begins each with its first batch'),
    ({'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 4,
      'optim_wrapper.accumulative_counts': 4}, 'an epoch of 6 batches ends with a step .* fewer than the 4 of'),
    ({'default_hooks.checkpoint': dict(type='mmengine.CheckpointHook', interval=1, max_keep_ckpts=1)},
     'removes the only checkpoint before the next is written'),
    ({**VARIANTS['iterations'], 'optim_wrapper.accumulative_counts': 3},
     'saves every 4 iterations, while the optimiser steps every 3'),
])
def test_settings_that_would_lose_something(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        RUNNERS.build(small_config(tmp_path, 'work', **changes)).train()


def test_a_validation_alone_loads_no_training_set(tmp_path):
    config = small_config(tmp_path, 'work')
    config.train_dataloader.dataset.data_root = 'nowhere'
    # MMEngine's own asks for the epoch, which builds the training set.
    config.default_hooks.checkpoint = None
    assert RUNNERS.build(config).val()['expressions'] == 72


def test_rates_scale_with_the_samples_of_a_step(tmp_path):
    changes = {'optim_wrapper.accumulative_counts': 4, 'auto_scale_lr': dict(enable=True, base_batch_size=16)}
    runner = RUNNERS.build(small_config(tmp_path, 'work', **changes))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    rate = runner.optim_wrapper.get_lr()['lr'][0]
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    assert runner.optim_wrapper.get_lr()['lr'][0] == pytest.approx(rate * 2 * 4 / 16)
