"""An audit hook of Python that lists what a process does beyond reading: code, processes, network, files, pickles.

It sees what goes through Python. Native code can open a file without it, so that :class:`~tests.trust.scene.Scene` also
looks at the folders afterwards.
"""

import json
import os
import socket
import sys
import sysconfig
import threading
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import mmris
from mmris.utils.resources import RESOURCES
from tests.trust.harmless import HARMLESS, OF_CONFIGS

Frames = List[Tuple[str, int, str]]

CODE = ('exec', 'compile', 'import', 'ctypes.dlopen')
PROCESSES = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.fork', 'os.forkpty',
             'pty.spawn')
NETWORK = ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.gethostbyaddr',
           'socket.sendto', 'socket.sendmsg', 'urllib.Request', 'webbrowser.open')
# By event: which of its arguments are paths that change.
FILES: Dict[str, Tuple[int, ...]] = {
    'open': (0, ), 'os.rename': (0, 1), 'os.remove': (0, ), 'os.mkdir': (0, ), 'os.rmdir': (0, ), 'os.link': (1, ),
    'os.symlink': (1, ), 'os.truncate': (0, ), 'os.chmod': (0, ), 'os.chown': (0, ), 'os.utime': (0, ),
    'os.setxattr': (0, ), 'os.removexattr': (0, ), 'sqlite3.connect': (0, ),
}
# By event: where its arguments name the folders that relative paths are in.
FOLDERS: Dict[str, Tuple[int, ...]] = {
    'os.rename': (2, 3), 'os.remove': (1, ), 'os.mkdir': (2, ), 'os.rmdir': (1, ), 'os.link': (3, ),
    'os.symlink': (2, ), 'os.chmod': (2, ), 'os.chown': (3, ), 'os.utime': (3, ),
}
PICKLES = ('pickle.find_class', )
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CONFIGS = RESOURCES / 'configs'
PACKAGE = Path(mmris.__file__).resolve().parent
TESTS = PACKAGE.parent / 'tests'


def installed_folders() -> Tuple[str, ...]:
    """Where code is that somebody installed: the interpreter, its packages, and mmris."""
    names = ('stdlib', 'platstdlib', 'purelib', 'platlib')
    return tuple({os.path.realpath(sysconfig.get_path(name)) for name in names} | {str(PACKAGE)})


@dataclass(frozen=True)
class Violation:
    """Something that should not have been done.

    Attributes:
        event (str): As Python calls it.
        what (str): Its subject: a path, a command, an address, a name.
        stack (list[str]): Where, the innermost call first.
    """

    event: str
    what: str
    stack: List[str]

    def __str__(self) -> str:
        return '\n'.join([f'{self.event}: {self.what}', *(f'    {call}' for call in self.stack)])


class Audit:
    """Lists what a process does that nobody allowed, from :meth:`arm` on.

    A process that is forked writes into the same list.

    Args:
        log (Path): The file of the list.
        writable (Sequence[Path]): Folders in which files may be written. Default: none.
        code (Sequence[Path]): Files or folders whose code may run, beside what is installed. Default: none.
        configs (bool): Whether configs of mmris may run, which are programs. Default: False.
        forks (bool): Whether data workers may be forked. Default: False.
        port (bool): Whether a port of this machine may be served. Default: False.
        of_mmris (bool): Whether only what mmris does counts, and not what tests do around it. Default: False.
    """

    def __init__(self, log: Path, *, writable: Sequence[Path] = (), code: Sequence[Path] = (), configs: bool = False,
                 forks: bool = False, port: bool = False, of_mmris: bool = False) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._writable = tuple(os.path.realpath(folder) for folder in writable)
        code = [*code, CONFIGS] if configs else code
        self._code = (*installed_folders(), *(os.path.realpath(path) for path in code))
        self._harmless = (*HARMLESS, *(OF_CONFIGS if configs else ()))
        self._forks, self._port, self._of_mmris = forks, port, of_mmris
        self._busy = threading.local()
        self.armed = False
        judges: Dict[str, Callable[[str, Tuple], Optional[str]]] = {
            **dict.fromkeys(CODE, self._judge_code), **dict.fromkeys(PROCESSES, self._judge_process),
            **dict.fromkeys(NETWORK, self._judge_network), **dict.fromkeys(FILES, self._judge_file),
            **dict.fromkeys(PICKLES, self._judge_pickle)}
        self._judges = judges
        sys.addaudithook(self._hear)

    def arm(self) -> None:
        """Begin to listen."""
        self.armed = True

    def report(self, event: str, what: str) -> None:
        """List something that was found otherwise."""
        self._write(event, what, [])

    def _hear(self, event: str, arguments: Tuple) -> None:
        judge = self._judges.get(event)
        if judge is None or not self.armed or getattr(self._busy, 'now', False):
            return
        self._busy.now = True
        try:
            what = judge(event, arguments)
            if what is not None:
                self._blame(event, what, list_frames())
        finally:
            self._busy.now = False

    def _blame(self, event: str, what: str, frames: Frames) -> None:
        if self._of_mmris and not is_done_by_mmris(frames):
            return
        if any(one.fits(event, what, frames) for one in self._harmless):
            return
        self._write(event, what, frames)

    def _write(self, event: str, what: str, frames: Frames) -> None:
        stack = [f'{path}:{line} {name}' for path, line, name in frames[:25]]
        os.write(self._log, (json.dumps(dict(event=event, what=what, stack=stack)) + '\n').encode())

    def _judge_code(self, event: str, arguments: Tuple) -> Optional[str]:
        if event == 'exec':
            code = arguments[0]
            path = code.co_filename if isinstance(code, CodeType) else repr(code)
            if path.startswith('<') and is_import(list_frames(), self._code):
                # Text that an installed module makes into code while it is imported, as dataclasses do.
                return None
        elif event == 'import':
            # Of a module in Python, its code is seen when it is executed.
            path = arguments[1]
        elif event == 'ctypes.dlopen':
            # A library by its bare name is the system's.
            path = arguments[0] if arguments[0] and '/' in os.fspath(arguments[0]) else None
        else:
            # Text is only parsed here: it is executed later, or never.
            path = arguments[1] if arguments[1] and not os.fsdecode(arguments[1]).startswith('<') else None
        if path is None:
            return None
        path = os.fsdecode(path)
        return None if path.startswith('<frozen ') or is_within(path, self._code) else path

    def _judge_process(self, event: str, arguments: Tuple) -> Optional[str]:
        if event == 'os.fork' and self._forks and comes_from(list_frames(), 'torch/utils/data/dataloader.py'):
            return None
        return ' '.join(map(repr, arguments)) or event

    def _judge_network(self, event: str, arguments: Tuple) -> Optional[str]:
        address = arguments[1] if event in ('socket.connect', 'socket.bind') else arguments
        if getattr(arguments[0], 'family', None) == socket.AF_UNIX and comes_from(list_frames(), 'multiprocessing/'):
            # Between the processes of a training.
            return None
        if self._port and comes_from(list_frames()[:2], 'mmris/web/server.py'):
            return None
        return repr(address)

    def _judge_file(self, event: str, arguments: Tuple) -> Optional[str]:
        if event == 'open' and not is_writing(arguments):
            return None
        folders = FOLDERS.get(event, ())
        for order, place in enumerate(FILES[event]):
            path = arguments[place]
            if isinstance(path, int) or path is None:
                continue
            folder = arguments[folders[order]] if folders else -1
            if isinstance(folder, int) and folder >= 0:
                path = os.path.join(os.readlink(f'/proc/self/fd/{folder}'), os.fsdecode(path))
            # The entry itself, where it is a link.
            parent, name = os.path.split(os.path.abspath(os.fsdecode(path)))
            whole = os.path.join(os.path.realpath(parent), name)
            if whole != os.devnull and not is_within(whole, self._writable, exact=False):
                return whole
        return None

    def _judge_pickle(self, event: str, arguments: Tuple) -> Optional[str]:
        return '.'.join(arguments[:2])


def list_frames() -> Frames:
    """The calls that led here, the innermost first, without those of this file."""
    frames: Frames = []
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename != __file__:
            frames.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return frames


def is_within(path: str, folders: Sequence[str], exact: bool = True) -> bool:
    """Whether a path is one of these, or below one; with ``exact`` links in it are followed to the end."""
    path = os.path.realpath(path) if exact else path
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def is_writing(arguments: Tuple) -> bool:
    """Whether a file is opened to be changed."""
    _, mode, flags = arguments
    return any(letter in mode for letter in 'wax+') if isinstance(mode, str) else bool(flags & WRITING)


def is_done_by_mmris(frames: Frames) -> bool:
    """Whether mmris, and not a test, is the nearest of both that is at work."""
    for path, _, _ in frames:
        if path.startswith(f'{PACKAGE}{os.sep}'):
            return True
        if path.startswith(f'{TESTS}{os.sep}'):
            return False
    return False


def is_import(frames: Frames, code: Sequence[str]) -> bool:
    """Whether all calls since a module was last imported are of installed code."""
    for path, _, _ in frames:
        if path.startswith('<frozen importlib'):
            return True
        if not is_within(path, code):
            return False
    return False


def comes_from(frames: Frames, part: str) -> bool:
    """Whether a call of a file is among these."""
    return any(part in path for path, _, _ in frames)


def read_violations(log: Path) -> List[Violation]:
    """What was listed."""
    return [Violation(**json.loads(line)) for line in log.read_text().splitlines()]

