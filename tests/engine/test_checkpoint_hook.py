"""No earlier checkpoint is removed before the later one is whole."""

from pathlib import Path

import pytest

from mmris.checkpoints import find_checkpoints, read_checkpoint
from mmris.registry import RUNNERS
from tests.engine.test_restarts import small_config


def files(folder: Path) -> set:
    return {path.name for path in folder.glob('*.pth')}


class FullDisk:
    """Lets no file of some name be written, in place of the runner's own saving."""

    def __init__(self, monkeypatch, runner, name: str) -> None:
        self.save, self.name = runner.save_checkpoint, name
        monkeypatch.setattr(runner, 'save_checkpoint', self)

    def __call__(self, out_dir: str, filename: str, *given, **named) -> None:
        if filename.startswith(self.name):
            raise OSError(28, 'No space left on device')
        self.save(out_dir, filename, *given, **named)


@pytest.mark.parametrize('keep, left', [(1, {'epoch_2.pth'}), (2, {'epoch_1.pth', 'epoch_2.pth'})])
def test_the_oldest_stays_until_the_next_is_written(tmp_path, monkeypatch, keep, left):
    config = small_config(tmp_path, 'work', **{'default_hooks.checkpoint.max_keep_ckpts': keep,
                                               'default_hooks.checkpoint.save_best': None})
    runner = RUNNERS.build(config)
    FullDisk(monkeypatch, runner, 'epoch_3')
    with pytest.raises(OSError, match='No space'):
        runner.train()
    assert files(tmp_path / 'work') == left
    assert find_checkpoints(tmp_path / 'work')[0].name == 'epoch_2.pth'


def test_a_run_that_was_killed_before_it_removed_the_oldest(tmp_path):
    """What it had written says that there is one too many, and the resumed run removes it."""
    config = small_config(tmp_path, 'work', **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    runner = RUNNERS.build(config)
    runner.train()
    saved = read_checkpoint(tmp_path / 'work' / 'epoch_3.pth')
    assert saved['message_hub']['runtime_info']['keep_ckpt_ids'] in ([2, 3], [3])
    assert {name for name in files(tmp_path / 'work') if name.startswith('epoch')} == {'epoch_3.pth'}


def test_the_best_stays_until_the_next_is_written(tmp_path, monkeypatch):
    config = small_config(tmp_path, 'work', **{'train_cfg.max_epochs': 1})
    runner = RUNNERS.build(config)
    runner.train()
    best = next((tmp_path / 'work').glob('best_*.pth')).name
    hook = next(one for one in runner.hooks if hasattr(one, 'best_ckpt_path'))
    runner.train_loop._epoch = 2
    FullDisk(monkeypatch, runner, 'best_')
    with pytest.raises(OSError, match='No space'):
        hook.after_val_epoch(runner, dict(mIoU=100.0))
    assert best in files(tmp_path / 'work')
    monkeypatch.undo()
    hook.best_ckpt_path = str(tmp_path / 'work' / best)
    hook.after_val_epoch(runner, dict(mIoU=101.0))
    assert best not in files(tmp_path / 'work') and 'best_mIoU_epoch_2.pth' in files(tmp_path / 'work')
