"""Standard output and error, log files, and text on one line. No character and no lost reader stops a tool."""

import errno
import io
import logging
import os
import re
import sys
from functools import partial
from typing import Optional

from .text import to_well_formed

# A character that an encoding does not have is written as its code point, which says more than a question mark.
ERRORS = 'backslashreplace'
# Control characters, the line breaks of Unicode, and marks that turn the direction of all text after them.
_NOT_ON_ONE_LINE = re.compile('\r\n|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]')


def prepare_streams() -> None:
    """Make standard output and standard error take any text, and keep them from failing if nobody reads them.

    - A character that their encoding does not have is written as its code point, such as ``\\u7ea2``.
    - If the reader ends (``| head -1``) or the terminal is closed, later output is dropped and the tool continues.
    - All output to a stream that was closed before the start (``>&-``) is dropped.
    """
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, 'w', encoding='utf-8', errors=ERRORS))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)
            # A stream that somebody else put in place, such as a test, stays as it is otherwise.
            if stream is getattr(sys, f'__{name}__'):
                setattr(sys, name, _unbreakable(stream))


def use_utf8_log_files(logger: logging.Logger) -> None:
    """Make the log files of a logger UTF-8 and able to hold any text. Python opens them in the locale's encoding.

    Args:
        logger (Logger): Such as MMEngine's ``MMLogger``. It may have written to its files already.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.encoding, handler.errors = 'utf-8', ERRORS
            if handler.stream is not None:
                handler.stream.reconfigure(encoding=handler.encoding, errors=handler.errors)


def survive_full_disks(logger: logging.Logger) -> None:
    """Let a logger go on where its files cannot be written, with one line on standard error a file.

    Python's own prints a traceback for each line of the log.

    Args:
        logger (Logger): Such as MMEngine's ``MMLogger``.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = partial(_report_once, handler)


def _report_once(handler: logging.FileHandler, record: logging.LogRecord) -> None:
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):
        logging.Handler.handleError(handler, record)
    elif not getattr(handler, 'has_failed', False):
        handler.has_failed = True
        sys.stderr.write(f'{handler.baseFilename} cannot be written ({error.strerror}): lines are missing there from '
                         f'now on.\n')


def one_line(text: str) -> str:
    """Make text safe to show in a line of a terminal, a cell of a table or a caption.

    Args:
        text (str): Any string, such as a sentence or a name from a file of a stranger.

    Returns:
        str: The same with a space in place of each line break and control character, and U+FFFD in place of half
        characters (lone surrogates).
    """
    return _NOT_ON_ONE_LINE.sub(' ', to_well_formed(text))


def _unbreakable(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """A stream to the same file descriptor that drops output once nobody reads it."""
    stream.flush()
    # Unbuffered streams (python -u) have no layer between text and file.
    raw = getattr(stream.buffer, 'raw', stream.buffer)
    outlet = _PipeSafeWriter(raw)
    return io.TextIOWrapper(
        outlet if raw is stream.buffer else io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through)


class _PipeSafeWriter(io.RawIOBase):
    """A file descriptor to write to. Once its reader is gone, it leads nowhere.

    Args:
        raw (RawIOBase): The file of the descriptor.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        # EIO means that a terminal was closed. For a file it means a broken disk.
        self._reader_is_gone = {errno.EPIPE, errno.EIO} if raw.isatty() else {errno.EPIPE}

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> Optional[int]:
        try:
            return self._raw.write(data)
        except OSError as error:
            if error.errno not in self._reader_is_gone:
                raise
        # The descriptor itself is replaced, so that child processes and C libraries do not fail either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        return memoryview(data).nbytes
