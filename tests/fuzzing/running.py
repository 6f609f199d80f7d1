"""Targets one after the other, or some at a time, each in a fork of this process."""

import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

import tests.fuzzing as package

from .target import Target
from .worker import PATIENCE, fuzz, measure, replay, save_find, write_seeds

#: Inputs that were faults once, by target. They stay, and are read again each time.
PAST = Path(__file__).with_name('past')
# Of a process beyond its time, before it is ended.
_GRACE = 60
# Seconds of a target below which its lines are not counted.
_LEAST_TO_MEASURE = 5
# In memory, where there is such a folder: each input is written to a file.
_MEMORY = '/dev/shm' if Path('/dev/shm').is_dir() else None
# Inputs of the corpus whose lines are counted: the shortest.
_MEASURED = 400


@dataclass(frozen=True)
class Result:
    """What came of a target."""

    name: str
    executions: int
    lines: str
    finds: int


def load_targets(*, instrument: bool) -> List[Target]:
    """Import all targets; with ``instrument`` so that atheris sees which branches of the package run."""
    names = sorted(one.name for one in pkgutil.iter_modules(package.__path__) if one.name.startswith('targets_'))
    if instrument:
        import atheris
        with atheris.instrument_imports(include=['mmris']):
            modules = [import_module(f'{package.__name__}.{name}') for name in names]
    else:
        modules = [import_module(f'{package.__name__}.{name}') for name in names]
    return [target for module in modules for target in module.TARGETS]


def fuzz_targets(targets: Sequence[Target], corpus: Path, seconds: float, jobs: int) -> List[Result]:
    """Fuzz each target for some time."""
    waiting, running, results = list(targets), {}, {}
    while waiting or running:
        while waiting and len(running) < jobs:
            one = waiting.pop(0)
            run = _Fuzzing(one, corpus, seconds)
            running[run.process] = run
        process, status = os.wait()
        run = running.pop(process)
        again = run.ended(status)
        if again is not None:
            running[again] = run
        else:
            results[run.target.name] = result = run.result()
            print(f'{result.name}: {result.executions:,} executions, {result.finds} finds', file=sys.stderr, flush=True)
    return [results[one.name] for one in targets]


def check_seeds(targets: Sequence[Target], corpus: Path) -> List[Result]:
    """Have each target read its seeds and past finds, without atheris."""
    results = []
    for target in targets:
        with tempfile.TemporaryDirectory(prefix='mmris-fuzzing-') as name:
            results.append(_check_seeds(target, Path(name), corpus / 'finds' / target.name))
        print(target.name, file=sys.stderr, flush=True)
    return results


def _check_seeds(target: Target, folder: Path, finds: Path) -> Result:
    contents = _contents(write_seeds(target, folder), PAST / target.name, finds)
    shutil.rmtree(finds, ignore_errors=True)
    status = _wait(_fork(lambda: replay(target, folder, finds, contents), folder), PATIENCE * 6)
    if status:
        _save_end(folder, finds, status)
    return Result(target.name, len(contents), '', _count_finds(finds))


def table(results: Sequence[Result]) -> str:
    """Lay out results as Markdown."""
    rows = [('target', 'executions', 'lines of its readers', 'finds')]
    rows += [(one.name, f'{one.executions:,}', one.lines, str(one.finds)) for one in results]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in rows]
    return '\n'.join([lines[0], '|' + '|'.join('-' * (width + 2) for width in widths) + '|', *lines[1:]])


class _Fuzzing:
    """The processes of one target: another one follows where one ends by a hang or a crash."""

    def __init__(self, target: Target, corpus: Path, seconds: float) -> None:
        self.target, self._seconds = target, seconds
        self._corpus, self._finds = corpus / target.name, corpus / 'finds' / target.name
        self._corpus.mkdir(parents=True, exist_ok=True)
        self._end = time.monotonic() + seconds
        self._executions = 0
        self._folders: List[Path] = []
        self.process = self._start(seconds)

    def _start(self, seconds: float) -> int:
        folder = Path(tempfile.mkdtemp(prefix=f'mmris-fuzzing-{self.target.name}-', dir=_MEMORY))
        self._folders.append(folder)
        past = PAST / self.target.name
        for path in past.glob('*') if past.is_dir() else ():
            shutil.copy(path, self._corpus / path.name)
        return _fork(lambda: fuzz(self.target, folder, self._finds, self._corpus, seconds), folder)

    def ended(self, status: int) -> Optional[int]:
        folder = self._folders[-1]
        count = folder / 'count'
        self._executions += int(count.read_text() or 0) if count.is_file() else 0
        for path in (folder / 'corpus').glob('*'):
            shutil.copy(path, self._corpus / path.name)
        if status:
            _save_end(folder, self._finds, status)
            left = self._end - time.monotonic()
            if left > 3 and len(self._folders) < 30:
                return self._start(left)
        return None

    def result(self) -> Result:
        lines = self._measure(self._folders[0]) if self._seconds >= _LEAST_TO_MEASURE else 'not counted'
        for one in self._folders:
            shutil.rmtree(one, ignore_errors=True)
        return Result(self.target.name, self._executions, lines, _count_finds(self._finds))

    def _measure(self, folder: Path) -> str:
        by_length = sorted(_contents(folder / 'seeds', self._corpus).items(), key=lambda one: len(one[1]))
        contents = dict(by_length[:_MEASURED])
        told = folder / 'lines'
        _wait(_fork(lambda: told.write_text(measure(self.target, folder / 'measured', contents)), folder), _GRACE * 3)
        return told.read_text() if told.is_file() else 'not counted'


def _fork(run: Callable[[], object], folder: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        run()
        status = 0
    except BaseException:
        import traceback
        (folder / 'error').write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _wait(process: int, seconds: float) -> int:
    """Wait for a process, no longer than this; its status."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    return os.waitpid(process, 0)[1]


def _save_end(folder: Path, finds: Path, status: int) -> None:
    """Save the content that a process ended by, in a hang or a crash."""
    current, trace = folder / 'current', folder / 'trace'
    known = trace.read_text(encoding='utf-8', errors='replace')[:6000] if trace.is_file() else ''
    how = f'signal {os.WTERMSIG(status)}' if os.WIFSIGNALED(status) else f'exit {os.WEXITSTATUS(status)}'
    finds.mkdir(parents=True, exist_ok=True)
    output = (folder / 'output').read_text(errors='replace')[-3000:] if (folder / 'output').is_file() else ''
    known += f'\n\nThe end of its output:\n{output}'
    if (folder / 'error').is_file():
        # The fuzzing itself failed.
        known += (folder / 'error').read_text()
    kind = f'hang of {PATIENCE} s' if 'Timeout' in known else f'the process ended by {how}'
    save_find(finds, current.read_bytes() if current.is_file() else b'', kind, known)


def _contents(*folders: Path) -> Dict[str, bytes]:
    paths = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())
             if path.is_file() and path.suffix != '.txt']
    return {str(path): path.read_bytes() for path in paths}


def _count_finds(folder: Path) -> int:
    return len(list(folder.glob('*.txt'))) if folder.is_dir() else 0
