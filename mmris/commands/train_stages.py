"""The work of ``mmris train_stages``."""

import argparse
import ctypes
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence

from mmris.checkpoints import find_checkpoints
from mmris.checkpoints.runs import (
    PREEMPTED,
    check_initial_checkpoints,
    find_initial_checkpoints,
    note_initial_checkpoints,
)
from mmris.command_line.arguments import add_option_argument, add_training_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.commands import check_run_settings, plain, save_run_settings, tool_command, tool_environment
from mmris.utils.configs import data_options, name_work_dir, read_config
from mmris.utils.json_files import read_json_file, write_json_file
from mmris.utils.launching import check_trainable

# In a stage's folder, once it is done: the checkpoint that it ended with.
FINISHED = 'finished.json'


class Stage(NamedTuple):
    """A training of the chain.

    Attributes:
        config (str): The config as given.
        folder (Path): The work folder.
        settings (dict): All that decides what comes out.
        initial_checkpoints (list[Path]): Files, and work folders of other trainings, that it begins from.
    """

    config: str
    folder: Path
    settings: Dict[str, Any]
    initial_checkpoints: List[Path]


def main(arguments: argparse.Namespace) -> None:
    stages = [plan(config, arguments) for config in arguments.configs]
    check_chain(stages)
    for position, stage in enumerate(stages, start=1):
        print(f'\nStage {position} of {len(stages)}: {stage.folder}', flush=True)
        if is_finished(stage):
            print('Finished before.', flush=True)
            continue
        save_run_settings(stage.folder, stage.settings)
        note_initial_checkpoints(stage.folder, stage.initial_checkpoints)
        code = train(stage, arguments)
        if code:
            print(f'Stage {position} of {len(stages)} failed. Started again, the same command goes on here.')
            sys.exit(code)
        if (stage.folder / PREEMPTED).exists():
            print(f'Stage {position} of {len(stages)} was asked to end, and has saved. Run the same command again to '
                  f'continue.')
            return
        left = find_checkpoints(stage.folder)
        if not left:
            raise FileNotFoundError(
                f'{stage.config} was trained to its end, but left no checkpoint in {stage.folder}: let '
                f'default_hooks.checkpoint save the last.')
        write_json_file(stage.folder / FINISHED, dict(checkpoint=left[0].name))


def plan(config: str, arguments: argparse.Namespace) -> Stage:
    """Read what a stage is.

    Raises:
        FileNotFoundError, ValueError: If there is no such config, or the data options do not fit it.
        ValueError: If it has nothing to train, or ``--train-options`` has what is not for all stages.
    """
    options = parse_train_options(arguments.train_options)
    read = read_config(argparse.Namespace(**{**vars(arguments), 'config': config, 'cfg_options': options.cfg_options}))
    check_trainable(read, config)
    name_work_dir(read, config, None)
    settings = dict(
        config=read.to_dict(),
        data=data_options(arguments),
        processes=arguments.processes,
        train_options=arguments.train_options)
    return Stage(config, Path(read.work_dir), plain(settings), find_initial_checkpoints(read))


def parse_train_options(text: str) -> argparse.Namespace:
    """Check the further options of train.py.

    Raises:
        ValueError: If ``--resume`` is among them.
        SystemExit: If train.py has no such options, or a stage has them already.
    """
    parser = CommandParser(prog='--train-options', usage='options of train.py', add_help=False)
    add_option_argument(parser)
    add_training_arguments(parser)
    options = parser.parse_args(shlex.split(text))
    if options.resume is not None:
        raise ValueError('--resume in --train-options is not needed: each stage goes on from its last checkpoint.')
    return options


def check_chain(stages: Sequence[Stage]) -> None:
    """Check the chain before any of it is trained.

    Raises:
        ValueError: If two stages share a work folder.
        ValueError: If one was begun with other settings.
        FileNotFoundError: If one begins from what is not there, and no stage before it leaves.
        ValueError: If one was begun from a training that is gone or has been trained anew.
    """
    folders = [stage.folder.resolve() for stage in stages]
    for position, stage in enumerate(stages):
        if folders[position] in folders[:position]:
            raise ValueError(f'Two of the configs share the work folder {stage.folder}: give them other names.')
        check_run_settings(
            stage.folder, stage.settings, run=stage.config, remedy='train it as before, or rename it and its config')
        for start in stage.initial_checkpoints:
            before = [one for one, folder in zip(stages[:position], folders) if is_within(start, folder)]
            if not before and not start.exists():
                raise FileNotFoundError(
                    f'{stage.config} begins from {start}, which is not there and which no stage before it leaves. '
                    f'Train that first, in the same command or by itself.')
            if find_checkpoints(stage.folder) and any(not find_checkpoints(one.folder) for one in before):
                raise ValueError(
                    f'{stage.folder} was begun from {start}, which has no checkpoint any more and is to be trained '
                    f'anew. Remove {stage.folder} too, so that it begins from the new one.')
        check_initial_checkpoints(stage.folder, stage.initial_checkpoints)


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder, or lies in it."""
    return folder in (path.resolve(), *path.resolve().parents)


def is_finished(stage: Stage) -> bool:
    """Whether a stage was trained to its end, its last validation included."""
    path, found = stage.folder / FINISHED, find_checkpoints(stage.folder)
    if not path.is_file() or not found:
        return False
    written = read_json_file(path, 'Remove it, so that the end of the stage is trained again.')
    return isinstance(written, dict) and written.get('checkpoint') == found[0].name


def train(stage: Stage, arguments: argparse.Namespace) -> int:
    """Train a stage, or what is left of it, and return the exit status."""
    options: List[str] = [*shlex.split(arguments.train_options), '--resume', *data_options(arguments)]
    command = tool_command('train', [stage.config], options, arguments.processes)
    print(f'$ {shlex.join(command)}', flush=True)
    done = subprocess.run(command, env=tool_environment(arguments.processes), preexec_fn=end_with_parent)
    # One that a signal ended has it as a negative number.
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def end_with_parent() -> None:
    """Let Linux end this process when the one that started it is killed: two trainings must not share a folder."""
    if sys.platform == 'linux':
        set_signal_of_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGTERM)
