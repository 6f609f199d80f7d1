"""How a tool is run: on streams that take any text, and with mistakes told by their message alone."""

import dis
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional

from .terminal import ERRORS, prepare_streams
from .text import to_well_formed

# Exit status of a tool that was given something wrong, as of argparse; and of one that was interrupted, as of shells.
USER_ERROR, INTERRUPTED = 2, 130
# Environment variables: set to anything but 0, mistakes show their traceback too; and the file that the first process
# of a group to fail writes what it has to say to (see mmris.utils.processes).
DEBUG, FIRST_ERROR = 'MMRIS_DEBUG', 'MMRIS_FIRST_ERROR'
# Beside that file, of each process of the group: its number, in a file named by its local rank.
PROCESS = '.pid'

_PACKAGE = Path(__file__).resolve().parents[1]
_OURS = (_PACKAGE, _PACKAGE.parent / 'tools')
# Parts of MMEngine that read configs.
_CONFIG_READERS = tuple(os.path.join('', 'mmengine', name, '') for name in ('config', 'registry'))


def run_tool(main: Callable[[], Optional[int]]) -> None:
    """Run the ``main`` of a tool, after :func:`prepare_streams`. Each tool is to be started by this.

    An error of the user (see :func:`is_user_error`) ends in its message alone and exit status 2. ``MMRIS_DEBUG=1`` in
    the environment brings its traceback. An interruption (Ctrl-C) ends in one line and exit status 130.

    Args:
        main (Callable): Takes nothing. Returns the exit status; None stands for 0.

    Raises:
        SystemExit: If the status is not 0, ``main`` raises it, or the user made a mistake.
        Exception: Any other error of ``main``.
    """
    prepare_streams()
    _write_process()
    try:
        status = main()
    except KeyboardInterrupt:
        if _is_debugging():
            raise
        sys.stderr.write('Interrupted.\n')
        sys.exit(INTERRUPTED)
    except Exception as error:
        alone = is_user_error(error) and not _is_debugging()
        said = f'{_message(error)}\n' if alone else traceback.format_exc()
        write_first_error(said)
        if not alone:
            raise
        sys.stderr.write(said)
        sys.exit(USER_ERROR)
    if status:
        sys.exit(status)


def _is_debugging() -> bool:
    return os.environ.get(DEBUG, '0') not in ('', '0')


def is_user_error(error: BaseException) -> bool:
    """Tell whether an error is about what the user gave, so that its message says it all.

    So are errors of the system (a missing file, a full disk, no network), and those that this project, or what reads
    configs, raises by a statement of its own. Any other may be a fault of the program.

    Args:
        error (BaseException): As it was caught.

    Returns:
        bool: Whether it is.
    """
    if isinstance(error, OSError):
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not isinstance(error, (ValueError, RuntimeError, ImportError, KeyError, TypeError)):
        return False
    file = os.path.realpath(last.tb_frame.f_code.co_filename)
    if any(part in file for part in _CONFIG_READERS):
        # An argument that a type does not take fails where MMEngine calls the type.
        return _raises(last) or (isinstance(error, TypeError) and 'argument' in str(error))
    return any(Path(file).is_relative_to(folder) for folder in _OURS) and _raises(last)


def _raises(frame: TracebackType) -> bool:
    """Whether a frame ended in a ``raise`` statement, not in a call that failed."""
    instructions = dis.get_instructions(frame.tb_frame.f_code)
    return any(one.offset == frame.tb_lasti and one.opname == 'RAISE_VARARGS' for one in instructions)


def _message(error: BaseException) -> str:
    # The text of a KeyError is the repr of what it says.
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    return to_well_formed(str(said)) or type(error).__name__


def _write_process() -> None:
    """Tell the launcher which process this is, so that it can pass signals on."""
    path, rank = os.environ.get(FIRST_ERROR), os.environ.get('LOCAL_RANK')
    if path and rank:
        try:
            Path(path).with_name(f'{rank}{PROCESS}').write_text(str(os.getpid()))
        except OSError:
            # The launcher is gone.
            return


def write_first_error(said: str) -> None:
    """Write down what a process has to say, if it is the first of its group to fail.

    Args:
        said (str): The message, with its line break.
    """
    path = os.environ.get(FIRST_ERROR)
    if path:
        try:
            with open(path, 'x', encoding='utf-8', errors=ERRORS) as file:
                file.write(said)
        except OSError:
            # Another was quicker, or the launcher is gone: it is on standard error all the same.
            return
