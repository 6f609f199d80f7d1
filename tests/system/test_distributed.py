"""Several processes, and processes that are killed, as a user starts them."""

import json
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest
import torch

from mmris.checkpoints import find_checkpoints, read_checkpoint
from mmris.registry import RUNNERS
from tests.conftest import ROOT, assert_same, run_python, tiny_config, write_set

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'
# What a training prints as it goes: a kill follows one of these lines, most of them steps.
MARKS = ('Epoch(train)', 'Saving checkpoint', 'Epoch(val)', 'The best checkpoint')
# Runs a command, then tells which threads are left.
LEFT = """
import sys
from pathlib import Path
from mmris.command_line import main
main.start(sys.argv[1:])
print('left:', *(path.read_text().strip() for path in Path('/proc/self/task').glob('*/comm')))
"""
# At most this many are waited for before a kill, fewer than an epoch has.
PATIENCE = 8


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('distributed')
    write_set(folder / 'set', images=13, sentences=2)
    return folder


def command(tool: str, processes: int, inputs: list, options: list) -> list:
    if processes > 1:
        return ['bash', f'tools/dist_{tool}.sh', *map(str, inputs), str(processes), *map(str, options)]
    return [sys.executable, f'tools/{tool}.py', *map(str, inputs), *map(str, options)]


def start(*arguments, output: IO) -> subprocess.Popen:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # With its fault handler, a process that is aborted tells where it stood.
    environment = dict(
        os.environ, PYTHON=sys.executable, MASTER_PORT=str(port), OMP_NUM_THREADS='1', PYTHONFAULTHANDLER='1')
    return subprocess.Popen(
        command(*arguments), cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)


def run(folder: Path, *arguments) -> str:
    log = folder / 'log.txt'
    with open(log, 'w') as output:
        process = start(*arguments, output=output)
        try:
            code = process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            pytest.fail(f'It stands still.\n{where_it_stands(process, log)}')
    assert code == 0, log.read_text()[-6000:]
    return log.read_text()


def training(folder: Path, name: str, processes: int, epochs: int) -> tuple:
    # Twelve of thirteen images: six steps an epoch, or three of two processes.
    options = [
        '--resume', '--work-dir', folder / name, '--data-root', folder / 'set', '--cfg-options',
        'train_dataloader.dataset.split=val', 'train_dataloader.batch_size=2', 'val_dataloader.num_workers=0',
        'default_hooks.logger.interval=1', f'train_cfg.max_epochs={epochs}'
    ]
    return 'train', processes, [CONFIG], options


def family(process: int) -> list:
    """A process and all that it started: torchrun's workers lead groups of their own, and outlive it."""
    children = Path(f'/proc/{process}/task/{process}/children').read_text().split()
    return [process, *(one for child in children for one in family(int(child)))]


def where_it_stands(process: subprocess.Popen, log: Path) -> str:
    """Abort a training, and have its processes tell what each thread of Python was doing."""
    before = len(log.read_text())
    members = family(process.pid)
    # Halted, so that none answers to the end of another: they tell one by one, the one that starts the others last.
    send(members, signal.SIGSTOP)
    for one in members[1:] + members[:1]:
        send([one], signal.SIGABRT, signal.SIGCONT)
        time.sleep(0.3)
    send(members, signal.SIGKILL)
    process.wait()
    text = log.read_text()
    return f'{text[before:]}\nBefore that:\n{text[:before][-4000:]}'


def send(members: list, *signals: int) -> None:
    for one in members:
        with suppress(ProcessLookupError):
            for which in signals:
                os.kill(one, which)


def kill_after(marks: int, delay: float, log: Path, process: subprocess.Popen) -> None:
    """Kill a training after so many lines of progress, and so many seconds more."""
    deadline = time.monotonic() + 120
    while sum(log.read_text().count(mark) for mark in MARKS) < marks:
        assert process.poll() is None, log.read_text()[-6000:]
        if time.monotonic() > deadline:
            # Whoever finds a training that stands still kills it too: what follows must resume from there.
            warnings.warn(f'A training stood still.\n{where_it_stands(process, log)}', stacklevel=1)
            return
        time.sleep(0.02)
    time.sleep(delay)
    send(family(process.pid), signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(folder, request):
    """One process alone is killed in `tests/engine/test_restarts.py`."""
    processes, kills = 2, request.config.getoption('--kills')
    epochs = kills * processes + 1
    run(folder, *training(folder, f'whole_{processes}', processes, epochs))

    generator = random.Random(processes)
    parts, log = folder / f'parts_{processes}', folder / 'killed.txt'
    for _ in range(kills):
        with open(log, 'w') as output:
            process = start(*training(folder, parts.name, processes, epochs), output=output)
            kill_after(generator.randint(1, PATIENCE), generator.uniform(0, 0.3), log, process)
    assert not (parts / f'epoch_{epochs}.pth').exists()
    run(folder, *training(folder, parts.name, processes, epochs))

    whole, resumed = (read_checkpoint(find_checkpoints(path)[0]) for path in (folder / f'whole_{processes}', parts))
    assert whole['meta']['epoch'] == resumed['meta']['epoch'] == epochs
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(whole[part], resumed[part])
    assert whole['message_hub']['runtime_info']['best_score'] == resumed['message_hub']['runtime_info']['best_score']
    best = [next((folder / name).glob('best_*.pth')) for name in (f'whole_{processes}', parts.name)]
    assert best[0].name == best[1].name
    assert_same(*(read_checkpoint(path)['state_dict'] for path in best))


@pytest.mark.slow
def test_no_thread_of_the_group_outlives_it(folder):
    """One that frees a tensor while the interpreter ends aborts the process, some time or other."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        group = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free.getsockname()[1]), RANK='0', LOCAL_RANK='0',
                     WORLD_SIZE='1', OMP_NUM_THREADS='1')
    _, _, inputs, options = training(folder, 'alone', 1, 1)
    started = [*inputs, *options, '--launcher', 'pytorch']
    trained = run_python('-c', LEFT, 'train', *started, **group)
    assert 'Distributed training: True' in trained
    scored = run_python('-c', LEFT, 'test', *inputs, folder / 'alone' / 'epoch_1.pth', '--data-root', folder / 'set',
                        '--split', 'val', '--work-dir', folder, '--launcher', 'pytorch', **group)
    for text in (trained, scored):
        assert 'left: python' in text and 'gloo' not in text.rpartition('left:')[2], text[-2000:]


@pytest.mark.slow
def test_two_processes_score_as_one(tmp_path):
    """Thirteen images in batches of two are seven batches: four for one process, three for the other. Every third ref
    has no target, and the model an existence head."""
    folder, config = tmp_path, 'configs/cm_masksd/vit-small_shaperef_generalised_baseline.py'
    refs_file = write_set(folder / 'set', images=13, sentences=2) / 'refs(unc).p'
    refs = pickle.loads(refs_file.read_bytes())
    for ref in refs[::3]:
        ref.update(ann_id=[-1], no_target=True)
    refs_file.write_bytes(pickle.dumps(refs))
    name, processes, _, options = training(folder, 'scored', 2, 1)
    log = run(folder, name, processes, [config], options)
    assert 'sync_bn' not in log
    checkpoint = next((folder / 'scored').glob('best_*.pth'))
    scores, rows = [], []
    for processes in (1, 2):
        out, dump = folder / f'scores_{processes}.json', folder / f'rows_{processes}.jsonl'
        # A low threshold, so that a model of one epoch has something to score.
        options = ['--split', 'val', '--controls', 'exchanged', '--out', out, '--dump', dump, '--work-dir', folder,
                   '--data-root', folder / 'set', '--cfg-options', 'test_dataloader.batch_size=2',
                   'test_evaluator.threshold=0.1', 'test_evaluator.existence_threshold=0.3']
        run(folder, 'test', processes, [config, checkpoint], options)
        scores.append(json.loads(out.read_text()))
        rows.append(dump.read_text())
    assert scores[0] == scores[1] and rows[0] == rows[1]
    assert scores[0]['val']['expressions'] == 78 and scores[0]['val']['gIoU'] > 0
    found = [json.loads(row) for row in rows[0].splitlines()]
    assert sum(row['target_pixels'] == 0 for row in found if row['split'] == 'val') == 26
    assert all(0 < row['existence'] < 1 and row['rejected'] == (row['existence'] < 0.3) for row in found)


@pytest.mark.slow
def test_batch_norm_without_gpus(folder):
    """It is not synchronised, which the log says; what is saved, averaged weights too, has the statistics of all."""
    name, processes, inputs, options = training(folder, 'unsynchronised', 2, 1)
    log = run(folder, name, processes, inputs, ['--ema', *options, 'sync_bn=torch'])
    assert 'sync_bn is left out: it needs GPUs.' in log
    saved = read_checkpoint(folder / 'unsynchronised' / 'epoch_1.pth')
    averaged, trained = saved['state_dict'], saved['ema_state_dict']
    names = [key for key in averaged if key.endswith('running_var')]
    assert names and all(torch.equal(averaged[key], trained[f'module.{key}']) for key in names)
    weights = [key for key in averaged if key.startswith('head.') and 'weight' in key]
    assert any(not torch.equal(averaged[key], trained[f'module.{key}']) for key in weights)


@pytest.mark.slow
def test_images_without_instances_beside_images_with(tmp_path):
    """DDP stops a training in which a process gives no gradient to a weight: here to those that see masks."""
    masks = write_set(tmp_path / 'set', images=8) / 'instance_masks.json'
    found = json.loads(masks.read_text())
    # One image of eight: in the step of one process the other has none.
    masks.write_text(json.dumps([one for one in found if one['image_id'] == 1]))
    name, processes, _, options = training(tmp_path, 'masked', 2, 1)
    options += ['train_dataloader.batch_size=1', 'train_dataloader.dataset.instance_masks.problems=skip',
                'val_dataloader.dataset.instance_masks.problems=skip']
    log = run(tmp_path, name, processes, ['configs/mail/tiny_shaperef.py'], options)
    assert '7 skipped: image without results' in log
    assert read_checkpoint(tmp_path / 'masked' / 'epoch_1.pth')['meta']['iter'] == 4


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """Run a script where `python` and `srun` print what they are given, a line each."""
    for name in ('python', 'srun'):
        (tmp_path / name).write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    # Which interpreter the scripts take: make passes its own on.
    monkeypatch.delenv('PYTHON', raising=False)

    def run_script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(['bash', f'tools/{name}.sh', *arguments],
                              cwd=ROOT,
                              env={**os.environ, **environment},
                              capture_output=True,
                              text=True)

    return run_script


class TestScripts:

    def test_several_machines(self, echo):
        given = dict(NNODES='4', NODE_RANK='2', MASTER_ADDR='first', MASTER_PORT='1234')
        said = echo('dist_train', 'my config.py', '8', '--resume', **given).stdout.splitlines()
        for option, value in zip(('--nnodes', '--node-rank', '--nproc-per-node', '--master-addr', '--master-port'),
                                 ('4', '2', '8', 'first', '1234')):
            assert said[said.index(option) + 1] == value
        assert said[-5:] == ['tools/train.py', 'my config.py', '--launcher', 'pytorch', '--resume']

    def test_evaluation(self, echo):
        said = echo('dist_test', 'config.py', 'best.pth', '2', '--split', 'val').stdout.splitlines()
        assert said[-7:] == ['tools/test.py', 'config.py', 'best.pth', '--launcher', 'pytorch', '--split', 'val']

    def test_prediction(self, echo):
        said = echo('dist_predict', 'config.py', 'best.pth', '2', 'my photos', '--recursive').stdout.splitlines()
        assert said[-7:] == ['tools/predict_images.py', 'config.py', 'best.pth', '--launcher', 'pytorch', 'my photos',
                             '--recursive']
        said = echo('slurm_predict', 'part', 'job', 'config.py', 'best.pth', 'my photos').stdout.splitlines()
        assert said[-6:] == ['tools/predict_images.py', 'config.py', 'best.pth', '--launcher', 'slurm', 'my photos']

    @pytest.mark.parametrize('gpus, nodes_share', [('16', '8'), ('4', '4')])
    def test_slurm(self, echo, gpus, nodes_share):
        said = echo('slurm_train', 'part', 'job', 'config.py', '--resume', GPUS=gpus, SRUN_ARGS='--time 1').stdout
        said = said.splitlines()
        assert {'--partition=part', '--job-name=job', f'--ntasks={gpus}', f'--ntasks-per-node={nodes_share}',
                f'--gres=gpu:{nodes_share}'} <= set(said)
        assert said[said.index('--time') + 1] == '1'
        assert said[-5:] == ['tools/train.py', 'config.py', '--launcher', 'slurm', '--resume']
        said = echo('slurm_test', 'part', 'job', 'config.py', 'best.pth').stdout.splitlines()
        assert said[-5:] == ['tools/test.py', 'config.py', 'best.pth', '--launcher', 'slurm']

    @pytest.mark.parametrize('launcher', ['dist', 'slurm'])
    @pytest.mark.parametrize('tool', ['train', 'test', 'predict'])
    def test_too_few_arguments(self, echo, launcher, tool):
        done = echo(f'{launcher}_{tool}', 'one')
        assert done.returncode == 2 and f'tools/{launcher}_{tool}.sh ' in done.stderr and not done.stdout

    def test_slurm_without_gpus(self, tmp_path, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        config = tiny_config()
        config.update(work_dir=str(tmp_path), launcher='slurm')
        with pytest.raises(ValueError, match='launcher slurm starts processes on GPUs alone. On processors use'):
            RUNNERS.build(config)
