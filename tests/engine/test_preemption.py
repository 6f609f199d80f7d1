"""A training that is asked to end saves where it is, and ends with the same bits when it is resumed."""

import copy
import json
import os
import signal
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

from mmris.checkpoints import find_checkpoints, read_checkpoint
from mmris.engine import PreemptionError
from mmris.registry import RUNNERS
from tests.conftest import assert_same
from tests.engine.test_restarts import VARIANTS, small_config, train

EVERY_BATCH = dict(type='RestartHook'), dict(type='PreemptionHook')
OF_PREEMPTION = {
    **{name: changes for name, changes in VARIANTS.items() if name != 'draws_and_existence'},
    'workers': {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True},
    # A checkpoint every four steps of six an epoch, of which one is killed and another stopped.
    'within_epochs': {'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 4},
    'rarely_saved': {'default_hooks.checkpoint.interval': 5},
}
STEP = 'after_train_iter'


class SignalHook(Hook):
    """Sends a signal to this process at the n-th call of a stage."""

    priority = 'NORMAL'

    def __init__(self, call: int, stage: str = STEP, number: int = signal.SIGTERM) -> None:
        self.left = call
        setattr(self, stage, lambda *given, **named: self.send(number))

    def get_triggered_stages(self) -> list:
        return [STEP, 'before_train_iter', 'after_val_iter', 'before_val_epoch']

    def send(self, number: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), number)


def stop(config: Config, *given) -> str:
    """Train until a signal; the message."""
    runner = RUNNERS.build(config)
    runner.register_hook(SignalHook(*given))
    with pytest.raises(PreemptionError) as caught:
        runner.train()
    return str(caught.value)


def changed(tmp_path: Path, variant: str, work_dir: str, **more) -> Config:
    changes = copy.deepcopy(OF_PREEMPTION[variant])
    changes['custom_hooks'] = [*EVERY_BATCH, *changes.get('custom_hooks', [dict(type='RestartHook')])[1:]]
    config = small_config(tmp_path, work_dir, **changes, **more)
    if 'feature_cache' in config.model:
        config.model.feature_cache.folder = str(tmp_path / f'features_of_{work_dir}')
    return config


def assert_equal_runs(tmp_path: Path, whole: dict, resumed: dict) -> None:
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(whole[part], resumed[part])
    best, same_best = (next((tmp_path / name).glob('best_*.pth')) for name in ('whole', 'parts'))
    assert best.name == same_best.name
    assert_same(read_checkpoint(best)['state_dict'], read_checkpoint(same_best)['state_dict'])


# Within the first epoch; the second twice, the last of its steps among them; and while a validation runs.
@pytest.mark.parametrize('variant', ['epochs', *(pytest.param(name, marks=pytest.mark.slow) for name in OF_PREEMPTION
                                                if name != 'epochs')])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, variant):
    whole = train(changed(tmp_path, variant, 'whole'))
    for given in ((2, ), (5, STEP, signal.SIGUSR1), (4, ), (1, 'after_val_iter')):
        message = stop(changed(tmp_path, variant, 'parts', resume=True), *given)
        saved = find_checkpoints(tmp_path / 'parts')[0]
        assert message.startswith(f'Stopped by {"SIGUSR1" if len(given) == 3 else "SIGTERM"} after step ')
        assert f'saved in {saved}. Run the same command with --resume to continue.' in message
    resumed = train(changed(tmp_path, variant, 'parts', resume=True))
    assert_equal_runs(tmp_path, whole, resumed)
    assert not list((tmp_path / 'parts').glob('epoch_*_iter_*.pth'))


def test_what_a_stopped_training_leaves(tmp_path):
    assert 'after step 8 of 18.' in stop(changed(tmp_path, 'epochs', 'parts'), 8)
    folder = tmp_path / 'parts'
    saved = folder / 'epoch_1_iter_8.pth'
    assert find_checkpoints(folder) == [saved, folder / 'epoch_1.pth']
    told = json.loads((folder / 'preempted.json').read_text())
    assert told == dict(signal='SIGTERM', epoch=1, iter=8, checkpoint=str(saved))
    # Torn: the epoch before is what is left.
    saved.write_bytes(saved.read_bytes()[:-1000])
    resumed = train(changed(tmp_path, 'epochs', 'parts', resume=True))
    assert resumed['meta']['iter'] == 18 and not (folder / 'preempted.json').exists() and not saved.exists()
    assert_same(resumed['state_dict'], train(changed(tmp_path, 'epochs', 'whole'))['state_dict'])


def test_no_batch_that_was_trained_is_read_again(tmp_path):
    stop(changed(tmp_path, 'epochs', 'parts'), 4)
    read = []

    class Note(Hook):

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            read.append((batch_idx, [sample.img_id for sample in data_batch['data_samples']]))

    runner = RUNNERS.build(changed(tmp_path, 'epochs', 'parts', resume=True))
    runner.register_hook(Note())
    runner.train()
    rest, whole = read[:2], read[2:8]
    assert [place for place, _ in rest] == [4, 5] and [place for place, _ in whole] == list(range(6))
    # The epoch that was stopped has no image in common with what it had trained: all twelve in six batches.
    assert len({image for _, images in rest for image in images}) == 4


def test_signals_do_again_what_they_did(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    train(changed(tmp_path, 'epochs', 'whole', **{'train_cfg.max_epochs': 1}))
    stop(changed(tmp_path, 'epochs', 'parts'), 1)
    # Also where it ends with an error.
    train(changed(tmp_path, 'epochs', 'failed'), interrupt_before=7)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before
