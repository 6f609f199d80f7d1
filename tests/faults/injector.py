"""Makes calls of the operating system fail, in a process that tests start.

A fault is a dict: ``call`` names what is patched here, or ``at`` and ``do`` what :mod:`tests.faults.fault_hook` does at
a step. ``rank`` is the process that it befalls; without it, all. With ``from_step``, writes fail from that step on.
"""

import builtins
import errno
import fcntl
import io
import os
import re
import time
from typing import Any, Callable

# Not empty from the step on that a fault begins with.
ARMED = []


def install(fault: dict) -> None:
    """Patch what the fault is about, if this is the process that it befalls."""
    if fault.get('rank', -1) in (-1, int(os.environ.get('RANK', 0))) and fault.get('call') in _PATCHES:
        _PATCHES[fault['call']](fault)


def fail(fault: dict, path: Any = None) -> None:
    number = getattr(errno, fault['errno'])
    raise OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


class _FailingFile:
    """A file that takes half of what is written to it."""

    def __init__(self, file: Any, fault: dict) -> None:
        self._file, self._fault = file, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> '_FailingFile':
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def write(self, content: Any) -> int:
        if 'from_step' in self._fault and not ARMED:
            return self._file.write(content)
        self._file.write(content[:len(content) // 2])
        self._file.flush()
        fail(self._fault)


def _patch_open(fault: dict, concerns: Callable[[str], bool], befall: Callable) -> None:
    original, pattern, seen = builtins.open, re.compile(fault['path']), set()

    def patched(file: Any, mode: str = 'r', *given: Any, **named: Any) -> Any:
        name = os.fspath(file) if isinstance(file, (str, os.PathLike)) else ''
        if not concerns(mode) or not pattern.search(name):
            return original(file, mode, *given, **named)
        seen.add(name)
        if len(seen) < fault.get('file', 1):
            return original(file, mode, *given, **named)
        return befall(lambda: original(file, mode, *given, **named))

    # pathlib takes the other name.
    builtins.open = io.open = patched


def _patch_write(fault: dict) -> None:
    _patch_open(fault, lambda mode: any(one in mode for one in 'wax+'), lambda opened: _FailingFile(opened(), fault))


def _patch_read(fault: dict) -> None:
    def befall(opened: Callable) -> Any:
        if 'errno' in fault:
            fail(fault)
        time.sleep(fault['seconds'])
        fault['seconds'] = 0
        return opened()

    _patch_open(fault, lambda mode: 'r' in mode and '+' not in mode, befall)


def _patch_rename(fault: dict) -> None:
    for name in ('replace', 'rename'):
        original = getattr(os, name)

        def patched(source: Any, target: Any, original: Callable = original, **named: Any) -> None:
            if os.path.exists(target) and not os.path.isdir(target):
                fail(fault)
            original(source, target, **named)

        setattr(os, name, patched)


def _patch_lock(fault: dict) -> None:
    fcntl.flock = lambda descriptor, operation: fail(fault)


def _patch_access(fault: dict) -> None:
    original = os.access
    os.access = lambda path, mode, **named: not mode & os.W_OK and original(path, mode, **named)


_PATCHES = dict(write=_patch_write, read=_patch_read, rename=_patch_rename, lock=_patch_lock, access=_patch_access)
