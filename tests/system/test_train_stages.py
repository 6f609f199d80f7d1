"""Configs that are trained one after the other, as a user types it, and what stops such a chain."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.checkpoints import read_checkpoint
from mmris.commands import train_stages
from mmris.registry import RUNNERS
from tests.conftest import ROOT, assert_same, read_arguments, run_command, write_set
from tests.system.test_distributed import family

TOOL = ROOT / 'tools' / 'train_stages.py'
COMMON = '''
_base_ = 'mmris::cm_masksd/ablations/shaperef_baseline.py'
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(split='val'))
val_dataloader = dict(num_workers=0)
default_hooks = dict(logger=dict(interval=1))
train_cfg = dict(max_epochs=2)
'''
FROM_THE_FIRST = '''
load_from = 'work_dirs/first'
model = dict(encoder=dict(pretrained='work_dirs/first'), frozen=['encoder.image', 'encoder.text'])
'''


def write_configs(folder: Path) -> None:
    """Two trainings of twelve steps; the second begins from the first."""
    (folder / 'first.py').write_text(COMMON)
    (folder / 'second.py').write_text(COMMON + FROM_THE_FIRST)


def start(folder: Path) -> subprocess.Popen:
    """Start the chain; what it prints goes to a file."""
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    command = [sys.executable, TOOL, 'first.py', 'second.py', '--data-root', 'set']
    with open(folder / 'log', 'w') as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)


def wait_for(done: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, (folder / 'log').read_text()
        time.sleep(0.05)


def kill_in(stage: str, folder: Path) -> str:
    """Start the chain, and kill it within a stage's second epoch; its output."""
    process = start(folder)
    log = folder / 'log'

    def is_there() -> bool:
        assert process.poll() is None, log.read_text()
        return 'Epoch(train) [2][3/6]' in log.read_text().partition(f': work_dirs/{stage}\n')[2]

    wait_for(is_there, folder)
    _, *children = family(process.pid)
    # The chain alone: two trainings would write to one folder if this one outlived it.
    process.kill()
    process.wait()
    wait_for(lambda: not any(is_alive(child) for child in children), folder)
    return log.read_text()


def is_alive(process: int) -> bool:
    """Whether a process runs; one that ended and was not asked for its status does not."""
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(') ')[2][0] != 'Z'
    except FileNotFoundError:
        return False


def train_whole(folder: Path) -> None:
    """The same trainings without an interruption, and without the chain."""
    init_default_scope('mmris')
    for name in ('first', 'second'):
        config = Config.fromfile(folder / f'{name}.py')
        for loader in (config.train_dataloader, config.val_dataloader):
            loader.dataset.data_root = str(folder / 'set')
        config.work_dir = str(folder / 'whole' / name)
        config.update(test_dataloader=None, test_cfg=None, test_evaluator=None, log_level='WARNING')
        if name == 'second':
            config.load_from = config.model.encoder.pretrained = str(folder / 'whole' / 'first')
        RUNNERS.build(config).train()


@pytest.mark.slow
def test_killed_in_both_stages(tmp_path):
    write_set(tmp_path / 'set', images=12, sentences=2)
    write_configs(tmp_path)
    train_whole(tmp_path)

    output = kill_in('first', tmp_path)
    assert 'Stage 1 of 2: work_dirs/first' in output and 'Stage 2' not in output
    assert f'$ {sys.executable} {ROOT}/tools/train.py first.py --resume --data-root set' in output
    output = kill_in('second', tmp_path)
    first, second = output.split('Stage 2 of 2: work_dirs/second')
    assert 'resumed epoch: 1' in first and 'Epoch(train) [1]' not in first and 'resumed' not in second
    process = start(tmp_path)
    assert process.wait(timeout=200) == 0, (tmp_path / 'log').read_text()
    output = (tmp_path / 'log').read_text()
    assert 'Stage 1 of 2: work_dirs/first\nFinished before.\n' in output and 'train.py first.py' not in output
    assert 'resumed epoch: 1' in output and 'Epoch(train) [1]' not in output

    for name in ('first', 'second'):
        whole, parts = tmp_path / 'whole' / name, tmp_path / 'work_dirs' / name
        best = [next(folder.glob('best_*.pth')).name for folder in (whole, parts)]
        assert best[0] == best[1]
        for file in ('epoch_2.pth', best[0]):
            one, other = read_checkpoint(whole / file), read_checkpoint(parts / file)
            assert_same(one['state_dict'], other['state_dict'])
    assert_same(*(read_checkpoint(folder / 'second' / 'epoch_2.pth')['optimizer']
                  for folder in (tmp_path / 'whole', tmp_path / 'work_dirs')))


class Chain:
    """The tool, run in this process with trainings that only leave their last checkpoint."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        monkeypatch.chdir(folder)
        write_configs(folder)
        self.status, self.trained = 0, []
        monkeypatch.setattr(train_stages, 'train', self._train)

    def _train(self, stage, arguments) -> int:
        self.trained.append(stage.folder.name)
        if not self.status:
            (stage.folder / 'epoch_2.pth').touch()
            (stage.folder / 'best_mIoU_epoch_2.pth').write_text(stage.folder.name)
        return self.status

    def run(self, *arguments: str) -> list:
        """What was trained."""
        self.trained.clear()
        run_command('train_stages', *arguments)
        return list(self.trained)


class TestChain:

    @pytest.fixture
    def chain(self, tmp_path, monkeypatch) -> Chain:
        return Chain(tmp_path, monkeypatch)

    def test_what_is_finished_is_not_trained_again(self, chain):
        assert chain.run('first.py', 'second.py') == ['first', 'second']
        assert chain.run('first.py', 'second.py') == []
        # Killed after its last checkpoint, before the validation that follows it.
        Path('work_dirs/second/finished.json').unlink()
        assert chain.run('first.py', 'second.py') == ['second']
        # Trained again by itself: not at its end yet.
        Path('work_dirs/second/epoch_2.pth').rename('work_dirs/second/epoch_1.pth')
        assert chain.run('first.py', 'second.py') == ['second']

    def test_one_that_fails_stops_the_chain(self, chain, capsys):
        chain.status = 3
        with pytest.raises(SystemExit) as ended:
            chain.run('first.py', 'second.py')
        assert ended.value.code == 3 and chain.trained == ['first']
        assert 'Stage 1 of 2 failed. Started again, the same command goes on here.' in capsys.readouterr().out
        chain.status = 0
        assert chain.run('first.py', 'second.py') == ['first', 'second']

    def test_other_settings(self, chain):
        chain.run('first.py', 'second.py')
        Path('second.py').write_text(COMMON + FROM_THE_FIRST + 'train_cfg = dict(max_epochs=3)\n')
        message = (r'work_dirs/second holds a run of second.py with other settings \(settings.json there\): '
                   r'config.train_cfg.max_epochs: 2 -> 3. Remove the folder, or train it as before')
        with pytest.raises(ValueError, match=message):
            chain.run('first.py', 'second.py')
        with pytest.raises(ValueError, match='work_dirs/first holds a run .*: train_options: .. -> .--accumulate 2.'):
            chain.run('first.py', '--train-options', '--accumulate 2')
        with pytest.raises(ValueError, match='work_dirs/first holds a run .*config.val_dataloader.dataset.data_root: '):
            chain.run('first.py', '--data-root', 'elsewhere')

    def test_a_stage_whose_beginning_is_gone(self, chain):
        chain.run('first.py', 'second.py')
        Path('work_dirs/first/epoch_2.pth').unlink()
        message = 'work_dirs/second was begun from work_dirs/first, which has no checkpoint any more'
        with pytest.raises(ValueError, match=message):
            chain.run('first.py', 'second.py')
        Path('second.py').write_text(COMMON)
        Path('work_dirs/second/settings.json').unlink()
        assert chain.run('first.py', 'second.py') == ['first']

    def test_a_stage_whose_beginning_was_replaced(self, chain):
        chain.run('first.py', 'second.py')
        best = Path('work_dirs/first/best_mIoU_epoch_2.pth')
        best.rename('work_dirs/first/best_mIoU_epoch_1.pth')
        assert chain.run('first.py', 'second.py') == []
        Path('work_dirs/first/best_mIoU_epoch_1.pth').write_text('another')
        with pytest.raises(ValueError, match='second was begun from work_dirs/first, which has been replaced'):
            chain.run('first.py', 'second.py')

    def test_a_beginning_that_no_stage_leaves(self, chain):
        """Told before the first stage is trained, however the path is written."""
        elsewhere = FROM_THE_FIRST.replace('work_dirs/first', 'work_dirs/elsewhere')
        Path('second.py').write_text(COMMON + elsewhere)
        with pytest.raises(FileNotFoundError, match='second.py begins from work_dirs/elsewhere, which is not there'):
            chain.run('first.py', 'second.py')
        assert chain.trained == []
        absolute = FROM_THE_FIRST.replace('work_dirs/first', str(Path('work_dirs/first').absolute()))
        Path('second.py').write_text(COMMON + absolute)
        assert chain.run('first.py', 'second.py') == ['first', 'second']

    @pytest.mark.parametrize('arguments, message', [
        (('first.py', 'third.py'), 'There is no config third.py'),
        (('first.py', 'other/first.py'), 'Two of the configs share the work folder work_dirs/first'),
        (('first.py', 'none.py'), 'none.py has nothing to train: its train_cfg is None. Evaluate it with '
                                  'mmris test none.py, and a checkpoint'),
        (('first.py', '--train-options=--resume'), '--resume in --train-options is not needed'),
    ])
    def test_what_is_checked_before_the_first(self, chain, arguments, message):
        Path('other').mkdir()
        Path('other/first.py').write_text(COMMON)
        Path('none.py').write_text(COMMON.replace('dict(max_epochs=2)', 'None'))
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            chain.run(*arguments)
        assert not chain.trained and not Path('work_dirs').exists()

    def test_options_that_are_not_for_all(self, chain, capsys):
        with pytest.raises(SystemExit):
            chain.run('first.py', '--train-options=--work-dir x')
        assert 'unrecognized arguments: --work-dir x' in capsys.readouterr().err


@pytest.mark.parametrize('processes, begin', [(1, [sys.executable, f'{ROOT}/tools/train.py', 'first.py', '--ema']),
                                              (4, ['bash', f'{ROOT}/tools/dist_train.sh', 'first.py', '4', '--ema'])])
def test_how_a_stage_is_trained(tmp_path, monkeypatch, processes, begin):
    monkeypatch.chdir(tmp_path)
    write_configs(tmp_path)
    given = []
    arguments = read_arguments(
        'train_stages', 'first.py', '--processes', processes, '--train-options=--ema', '--refs-file', 'a b.p')

    def run(command, **options):
        given.append(command)
        return subprocess.CompletedProcess(command, -signal.SIGTERM)

    monkeypatch.setattr(subprocess, 'run', run)
    assert train_stages.train(train_stages.plan('first.py', arguments), arguments) == 128 + signal.SIGTERM
    assert given == [[*begin, '--resume', '--refs-file', 'a b.p']]
    assert json.loads(json.dumps(train_stages.plan('first.py', arguments).settings))['processes'] == processes
