"""How one tool runs another, and notes in a folder what that was run with."""

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence

from .config_comparison import compare
from .cpus import usable_cpus
from .json_files import read_json_file, write_json_file
from .resources import RESOURCES

TOOLS = (RESOURCES / 'tools').resolve()
SETTINGS = 'settings.json'
# Of more differences than these, a message tells the first.
_SHOWN = 3


def tool_command(tool: str, inputs: Sequence[str], options: Sequence[str], processes: int = 1) -> List[str]:
    """How train.py or test.py is started.

    Args:
        tool (str): ``'train'`` or ``'test'``.
        inputs (Sequence[str]): Its config, and its checkpoint if it takes one.
        options (Sequence[str]): Its options.
        processes (int): In how many processes, one a GPU. Defaults to 1.

    Returns:
        list[str]: The command, by ``dist_<tool>.sh`` for several processes.
    """
    if processes > 1:
        return ['bash', str(TOOLS / f'dist_{tool}.sh'), *inputs, str(processes), *options]
    return [sys.executable, str(TOOLS / f'{tool}.py'), *inputs, *options]


def tool_environment(threads_of: int) -> Dict[str, str]:
    """The environment of :func:`tool_command`: this interpreter, and processors shared out if nothing else is said.

    Args:
        threads_of (int): How many processes run at a time.

    Returns:
        dict[str, str]: Environment variables.
    """
    environment = dict(os.environ, PYTHON=sys.executable)
    environment.setdefault('OMP_NUM_THREADS', str(max(1, usable_cpus() // threads_of)))
    return environment


def check_run_settings(folder: Path, settings: Dict[str, Any], *, run: str, remedy: str) -> None:
    """Check that a folder holds a run of the same settings as before, or none.

    Args:
        folder (Path): The run's folder.
        settings (dict): All that decides what comes out, of values that JSON has.
        run (str): What is run, for the message.
        remedy (str): What to do else than to remove the folder.

    Raises:
        ValueError: If it holds a run of other settings; the message tells the first that differ. If the file of these
            settings is damaged.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return
    before = read_json_file(path, f'Remove {folder}, or {remedy}.')
    changes = compare(before, settings)
    if changes:
        shown = ';'.join(change[1:] for change in changes[:_SHOWN])
        more = f' and {len(changes) - _SHOWN} more' if len(changes) > _SHOWN else ''
        raise ValueError(
            f'{folder} holds a run of {run} with other settings ({SETTINGS} there):{shown}{more}. Remove the folder, '
            f'or {remedy}.')


def save_run_settings(folder: Path, settings: Dict[str, Any]) -> None:
    """Write down what a folder's run is, for :func:`check_run_settings`."""
    write_json_file(folder / SETTINGS, settings)


def plain(settings: Dict[str, Any]) -> Dict[str, Any]:
    """Settings as they come back from JSON; what that has not, such as types, as text."""
    return json.loads(json.dumps(settings, default=str))
