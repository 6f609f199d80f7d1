"""Whether a reader did with a file what it may: a right result, or an error of ours that names the file."""

import dis
import json
import resource
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import mmris

from .target import Read, WrongResultError

#: Bytes that a reader may take above what the process had.
MEMORY = 2 * 2**30
_PACKAGE = str(Path(mmris.__file__).parent)
_ALLOWED = (ValueError, OSError, RuntimeError)
# Subclasses of the allowed errors that only come from below.
_FROM_BELOW = (UnicodeError, json.JSONDecodeError, RecursionError, NotImplementedError)
_RAISE = dis.opmap['RAISE_VARARGS']
_PROGRAMS = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.forkpty', 'pty.spawn',
             'socket.connect', 'socket.bind', 'socket.getaddrinfo', 'socket.sendto', 'pickle.find_class')
_CHANGES = ('os.mkdir', 'os.rename', 'os.remove', 'os.rmdir', 'os.link', 'os.symlink', 'os.truncate', 'os.chmod',
            'shutil.rmtree', 'shutil.copyfile', 'shutil.move')


class Watch:
    """Notes what the process does that no reader may do: runs programs, talks to others, writes elsewhere, imports
    what a file names. It cannot be taken off again.

    Args:
        folder (Path): Where files may be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._content: Optional[bytes] = None
        self.seen: List[str] = []
        sys.addaudithook(self._note)

    def begin(self, content: bytes) -> None:
        """Watch from now on, while this content is read."""
        self.seen = []
        self._content = content

    def end(self) -> None:
        """Watch no more."""
        self._content = None

    def _note(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if self._content is None:
            return
        if event in _PROGRAMS:
            self.seen.append(f'{event}{arguments[:2]!r:.200}')
        elif event in _CHANGES or event == 'open' and _writes(arguments):
            places = [one for one in arguments if isinstance(one, (str, bytes, Path))][:2 if 'open' != event else 1]
            if any(not _is_below(place, self._folder) for place in places):
                self.seen.append(f'{event}{arguments!r:.200}')
        elif event == 'import' and isinstance(arguments[0], str):
            name = arguments[0].partition('.')[0]
            if name.encode() in self._content and name not in sys.modules:
                self.seen.append(f'import {arguments[0]}')


def _writes(arguments: Tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in 'wax+')
    return bool(isinstance(flags, int) and flags & 0b11)


def _is_below(place: Any, folder: str) -> bool:
    text = place.decode('utf-8', 'surrogateescape') if isinstance(place, bytes) else str(place)
    return text.startswith((folder, '/dev/null', '/dev/shm'))


def judge(read: Read, content: bytes, names: Sequence[str], watch: Optional[Watch] = None) -> Optional[Tuple[str, str]]:
    """Have a reader read content.

    Args:
        read (Callable): The reader.
        content (bytes): The content.
        names (Sequence[str]): What stands for the file; a message has one of them.
        watch (Watch, optional): What else is watched. Default: None, nothing.

    Returns:
        tuple[str, str], optional: What is wrong: a line by which two of a kind are equal, and all that is known. None:
        nothing.
    """
    before = peak_memory()
    if watch is not None:
        watch.begin(content)
    try:
        read(content)
        fault = None
    except BaseException as error:
        fault = fault_of(error, names)
    if watch is not None:
        watch.end()
        if watch.seen:
            return f'side effect: {watch.seen[0].partition("(")[0]}', '\n'.join(watch.seen)
    if fault is None and peak_memory() - before > MEMORY:
        fault = ('memory', f'{(peak_memory() - before) / 2**30:.1f} GiB above the start')
    return fault


def peak_memory() -> int:
    """int: The most bytes that were resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fault_of(error: BaseException, names: Sequence[str]) -> Optional[Tuple[str, str]]:
    """What is wrong with an error; None if it is one of ours that names the file."""
    whole = ''.join(traceback.format_exception(error))[-6000:]
    kind = type(error).__name__
    place = list(_frames(error.__traceback__))[-1]
    where = f'{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}'
    if any(isinstance(one, MemoryError) for one in _chain(error)):
        return f'memory: MemoryError on the way to {kind} ({where})', whole
    if isinstance(error, WrongResultError):
        return f'wrong result: {str(error)[:60]}', whole
    if not isinstance(error, _ALLOWED) or isinstance(error, _FROM_BELOW):
        ours = [one for one in _frames(error.__traceback__) if _is_ours(one)]
        last = ours[-1] if ours else place
        return f'{kind} ({Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno})', whole
    # What the system says of a file that it cannot open names the file already.
    by_system = isinstance(error, OSError) and error.filename is not None
    if not by_system and not (_is_ours(place) and _is_raised(place)):
        return f'{kind} from below ({where})', whole
    if not any(name in str(error) for name in names):
        return f'{kind} does not name the file ({where})', whole
    return None


def _is_ours(place: TracebackType) -> bool:
    return place.tb_frame.f_code.co_filename.startswith(_PACKAGE)


def _is_raised(place: TracebackType) -> bool:
    """Whether a statement raised the error there, not something that it called."""
    return place.tb_frame.f_code.co_code[place.tb_lasti] == _RAISE


def _frames(place: Optional[TracebackType]) -> Iterator[TracebackType]:
    while place is not None:
        yield place
        place = place.tb_next


def _chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
