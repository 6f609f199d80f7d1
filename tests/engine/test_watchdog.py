"""A run that stands still says where."""

import time

import pytest
from mmengine.hooks import Hook

from mmris.engine import WatchdogHook
from mmris.engine.heartbeat import Heartbeat, Position
from mmris.registry import RUNNERS
from tests.engine.test_restarts import small_config


class SlowHook(Hook):

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 3:
            stand_still()


def stand_still() -> None:
    time.sleep(4)


def test_a_slow_step_is_told_and_goes_on(tmp_path, capfd):
    hooks = [dict(type='RestartHook'), dict(type='WatchdogHook', minutes=1.5 / 60)]
    runner = RUNNERS.build(small_config(tmp_path, 'work', custom_hooks=hooks, **{'train_cfg.max_epochs': 1}))
    runner.register_hook(SlowHook())
    runner.train()
    said = capfd.readouterr().err
    assert 'No step has ended for 0.025 minutes. Rank 0 is in step 4. \nWhat the threads of rank 0 are doing:' in said
    assert 'in stand_still' in said and runner.iter == 6


def test_minutes_are_positive():
    with pytest.raises(ValueError, match='minutes of WatchdogHook must be positive, but got 0.'):
        WatchdogHook(minutes=0)


class Store(dict):
    """What processes share, as a store of torch.distributed."""

    def check(self, keys: list) -> bool:
        return all(key in self for key in keys)

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def get(self, key: str) -> str:
        return self[key]


@pytest.fixture
def processes(monkeypatch) -> list:
    """Heartbeats of three processes, and whose turn it is."""
    store, turn = Store(), [0]
    monkeypatch.setattr('mmris.engine.heartbeat.get_rank', lambda: turn[0])
    hearts = [Heartbeat() for _ in range(3)]
    monkeypatch.setattr('mmris.engine.heartbeat.get_world_size', lambda: 3)
    for heart in hearts:
        heart._store = store

    def beat(rank: int, position: Position) -> None:
        turn[0] = rank
        hearts[rank].beat(position)

    return [hearts, beat]


IN_STEP, WAITING = Position(6, 1, 'in step 7'), Position(6, 0, 'waiting for the batch of step 7')


def test_who_gives_no_sign_is_named(processes, monkeypatch):
    hearts, beat = processes
    for rank in range(3):
        beat(rank, IN_STEP)
    # Meanwhile all but one give another.
    monkeypatch.setattr('mmris.engine.heartbeat.time.sleep', lambda seconds: [beat(rank, IN_STEP) for rank in (2, 0)])
    found = hearts[0].find_laggards(IN_STEP, 1)
    assert len(found) == 1 and found[0].startswith('Rank 1 (process ')
    assert found[0].endswith('gives no sign of life. It was last in step 7.')
    # The others find the same, also if the one that looked first has ended meanwhile.
    monkeypatch.setattr('mmris.engine.heartbeat.time.sleep', lambda seconds: None)
    assert hearts[2].find_laggards(IN_STEP, 1) == found


def test_who_is_behind_is_named(processes, monkeypatch):
    hearts, beat = processes
    where = [IN_STEP, IN_STEP, WAITING]

    def beat_all(seconds: float = 0) -> None:
        for rank, position in reversed(list(enumerate(where))):
            beat(rank, position)

    beat_all()
    monkeypatch.setattr('mmris.engine.heartbeat.time.sleep', beat_all)
    found = hearts[0].find_laggards(IN_STEP, 1)
    assert len(found) == 1 and found[0].startswith('Rank 2 (')
    assert found[0].endswith('is waiting for the batch of step 7.')
