"""Which lines of a reader ran."""

import importlib
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Callable, Dict, Iterable, Sequence, Set, Tuple

Lines = Set[Tuple[str, int]]


def lines_of(modules: Sequence[str]) -> Lines:
    """The lines of functions of modules, each as file and number."""
    found: Lines = set()
    for name in modules:
        path = importlib.import_module(name).__file__
        code = compile(Path(path).read_bytes(), path, 'exec')
        for inner in _codes(code):
            # A class's body and a module's run when they are imported.
            if inner.co_flags & 0x2:
                found |= {(path, line) for _, _, line in inner.co_lines() if line and line > inner.co_firstlineno}
    return found


def _codes(code: CodeType) -> Iterable[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def lines_run(run: Callable[[], object], wanted: Lines) -> Lines:
    """Run something, and note which of these lines ran."""
    files = {file for file, _ in wanted}
    seen: Lines = set()
    known: Dict[CodeType, bool] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if known.setdefault(code, code.co_filename in files):
            if event == 'line':
                seen.add((code.co_filename, frame.f_lineno))
            return trace
        return None

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return seen & wanted
