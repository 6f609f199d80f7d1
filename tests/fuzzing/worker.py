"""One target in a process of its own."""

import contextlib
import faulthandler
import hashlib
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Callable, Dict, Optional, Set

from .judging import MEMORY, Watch, judge, peak_memory
from .lines import Lines, lines_of, lines_run
from .mutation import mutate_bytes
from .target import Read, Target

#: Seconds that a reader may take.
PATIENCE = 10
# Address space above the start: beyond it memory is refused, before the machine suffers.
_ADDRESSES = 8 * 2**30
_LONGEST = 400_000
# Seconds in which lines are counted: what follows them line by line slows readers down.
_MEASURING = 15


class Worker:
    """Has one target read content, and keeps what it must not do.

    Args:
        target (Target): The target.
        folder (Path): Empty; the only place that is written to.
        finds (Path): Folder of finds: of each kind the content, named by its hash, and beside it what is known.
    """

    def __init__(self, target: Target, folder: Path, finds: Path) -> None:
        self.target, self._finds = target, finds
        self._current, self._count = folder / 'current', folder / 'count'
        self._folder = folder / 'work'
        for one in (self._folder, finds, folder / 'corpus'):
            one.mkdir(parents=True, exist_ok=True)
        os.environ['TMPDIR'] = tempfile.tempdir = str(self._folder)
        self._kinds: Set[str] = {path.read_text(encoding='utf-8').partition('\n')[0] for path in finds.glob('*.txt')}
        self._executions = 0
        self._read: Read = target.prepare(self._folder)
        self._names = (str(self._folder), *target.names)
        self._log = open(folder / 'trace', 'w', encoding='utf-8')

    def guard(self) -> Watch:
        """Bound the address space, and watch what the process does."""
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _ADDRESSES, used + _ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable(self._log)
        return Watch(self._folder)

    def save_count(self) -> None:
        """Save how many contents were read."""
        self._count.write_text(str(self._executions))

    def run(self, content: bytes, watch: Optional[Watch] = None) -> None:
        """Have content read; a fault of a new kind is saved."""
        self._current.write_bytes(content)
        self._executions += 1
        if self._executions % 20 == 0:
            self.save_count()
        faulthandler.dump_traceback_later(PATIENCE, exit=True, file=self._log)
        fault = judge(self._read, content, self._names, watch)
        faulthandler.cancel_dump_traceback_later()
        self._current.unlink()
        if fault is not None and fault[0] not in self._kinds:
            self._kinds.add(fault[0])
            save_find(self._finds, content, *fault)


def save_find(folder: Path, content: bytes, kind: str, known: str) -> None:
    """Save content that a reader could not take."""
    name = hashlib.sha256(content).hexdigest()[:16]
    (folder / name).write_bytes(content)
    (folder / f'{name}.txt').write_text(f'{kind}\n\n{known}', encoding='utf-8', errors='backslashreplace')


def _quiet(folder: Path) -> None:
    """Let readers write to a file instead of the terminal."""
    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)
    output = os.open(folder / 'output', os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = open(os.devnull, 'w', encoding='utf-8')


def fuzz(target: Target, folder: Path, finds: Path, corpus: Path, seconds: float) -> None:
    """Fuzz by atheris, which ends the process."""
    import atheris
    _quiet(folder)
    worker = Worker(target, folder, finds)
    seeds = write_seeds(target, folder)
    watch = worker.guard()
    mutate: Callable[[bytes, int, int], bytes] = target.mutate or mutate_bytes
    end = time.monotonic() + seconds

    def run(content: bytes) -> None:
        worker.run(content, watch)
        if time.monotonic() > end:
            # libFuzzer's own end aborts in a fork.
            worker.save_count()
            os._exit(0)

    # The first folder gets what reaches new lines. Faults are ours to see, so that one does not hide the others.
    most = (peak_memory() + MEMORY + 2**29) >> 20
    options = [f'-max_len={_LONGEST}', f'-artifact_prefix={folder}/', '-len_control=0', f'-rss_limit_mb={most}',
               '-timeout=1000', *(f'-handle_{signal}=0' for signal in ('segv', 'abrt', 'bus', 'fpe', 'ill'))]
    atheris.Setup([sys.argv[0], str(folder / 'corpus'), str(seeds), str(corpus), *options], run,
                  custom_mutator=mutate)
    atheris.Fuzz()


def replay(target: Target, folder: Path, finds: Path, contents: Dict[str, bytes]) -> None:
    """Read contents without atheris."""
    _quiet(folder)
    worker = Worker(target, folder, finds)
    watch = worker.guard()
    for content in contents.values():
        worker.run(content, watch)


def measure(target: Target, folder: Path, contents: Dict[str, bytes]) -> str:
    """Tell which share of the lines of the readers' functions contents reach."""
    (folder / 'work').mkdir(parents=True, exist_ok=True)
    _quiet(folder)
    wanted = lines_of(target.readers)
    read = target.prepare(folder / 'work')

    def read_all() -> None:
        end = time.monotonic() + _MEASURING
        for content in contents.values():
            if time.monotonic() > end:
                break
            with contextlib.suppress(Exception):
                read(content)

    seen: Lines = lines_run(read_all, wanted)
    missed = sorted(f'{Path(file).name}:{line}' for file, line in wanted - seen)
    (folder / 'missed').write_text('\n'.join(missed))
    return f'{len(seen)}/{len(wanted)}'


def write_seeds(target: Target, folder: Path) -> Path:
    """Write the seeds of a target to files."""
    made, seeds = folder / 'made', folder / 'seeds'
    made.mkdir(parents=True, exist_ok=True)
    seeds.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds(made)):
        (seeds / f'{number:03d}').write_bytes(content)
    return seeds
