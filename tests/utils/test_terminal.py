"""Streams and log files that take any text, and streams whose reader ends."""

import io
import logging
import os
import pty
import subprocess
import sys

import pytest
from mmengine.logging import MMLogger

from mmris.utils.terminal import one_line, prepare_streams, use_utf8_log_files

# Chinese, an emoji, half of one, and a byte of a path that is not UTF-8.
ANY = '红 👍 \ud83d caf\udce9'


@pytest.fixture
def stream_to(monkeypatch):
    """Make a file descriptor standard output, as Python opens it, and prepare it."""
    opened = []

    def stream_to(descriptor: int, **options: object) -> io.TextIOWrapper:
        options = {'encoding': 'ascii', 'errors': 'strict', **options}
        buffering = options.pop('buffering', -1)
        binary = open(descriptor, 'wb', buffering=buffering, closefd=False)
        stream = io.TextIOWrapper(binary, write_through=buffering == 0, **options)
        opened.append(stream)
        monkeypatch.setattr(sys, 'stdout', stream)
        monkeypatch.setattr(sys, '__stdout__', stream)
        prepare_streams()
        return sys.stdout

    return stream_to


@pytest.fixture
def pipe():
    """The ends of a pipe, to read from and to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


@pytest.mark.parametrize('encoding, shown', [
    ('ascii', b'\\u7ea2 \\U0001f44d \\ud83d caf\\udce9\n'),
    ('latin-1', b'\\u7ea2 \\U0001f44d \\ud83d caf\\udce9\n'),
    ('utf-8', '红 👍 \\ud83d caf\\udce9\n'.encode()),
])
@pytest.mark.parametrize('buffering', [-1, 0])
def test_what_an_encoding_lacks_is_written_as_its_number(stream_to, pipe, encoding, shown, buffering):
    stream = stream_to(pipe[1], encoding=encoding, buffering=buffering)
    print(ANY)
    if buffering == 0:
        assert os.read(pipe[0], 999) == shown, 'as with python -u, nothing waits in a buffer'
        return
    stream.flush()
    assert os.read(pipe[0], 999) == shown
    assert stream.encoding == encoding and stream.fileno() == pipe[1] and not stream.isatty()


@pytest.mark.parametrize('buffering', [-1, 0])
def test_nothing_fails_once_the_reader_ended(stream_to, pipe, buffering):
    stream = stream_to(pipe[1], buffering=buffering)
    print('one', flush=True)
    os.close(pipe[0])
    for _ in range(3):
        print('two' * 9999, flush=True)
    assert os.path.samestat(os.fstat(pipe[1]), os.stat(os.devnull)), 'other processes can write to it too'
    stream.flush()


def test_nothing_fails_once_the_terminal_is_closed(stream_to):
    controller, terminal = pty.openpty()
    stream = stream_to(terminal, line_buffering=True)
    assert stream.isatty() and stream.line_buffering
    print('one')
    os.close(controller)
    print('two')
    print('three')
    os.close(terminal)


def test_a_full_disk_is_told(stream_to):
    with open('/dev/full', 'wb', buffering=0) as full:
        stream = stream_to(full.fileno())
        print('one')
        with pytest.raises(OSError, match='No space left on device'):
            stream.flush()
        # What cannot be written must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


def test_a_stream_that_was_closed_before_the_start(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', None)
    prepare_streams()
    print(ANY, flush=True)
    sys.stdout.close()


def test_streams_of_others_stay_theirs(monkeypatch):
    """Of tests and notebooks: an error handler is all that they get, if they have one."""
    binary = io.BytesIO()
    own, foreign = io.TextIOWrapper(binary, encoding='ascii'), io.StringIO()
    monkeypatch.setattr(sys, 'stdout', own)
    monkeypatch.setattr(sys, 'stderr', foreign)
    prepare_streams()
    assert sys.stdout is own and sys.stderr is foreign
    print(ANY, flush=True)
    assert binary.getvalue().startswith(b'\\u7ea2')


@pytest.mark.parametrize('encoding', ['ascii', 'utf-8'])
def test_log_files_of_mmengine(tmp_path, monkeypatch, encoding):
    """Whatever encoding the locale says they are opened with; MMEngine does not ask for one."""
    opened = logging.FileHandler._open
    monkeypatch.setattr(logging.FileHandler, '_open', lambda handler: _opened(handler, opened, encoding))
    monkeypatch.setattr(logging, 'raiseExceptions', True)
    errors = io.StringIO()
    monkeypatch.setattr(sys, 'stderr', errors)
    logger = MMLogger(f'test {encoding}', log_file=str(tmp_path / 'log'))
    logger.info('before')
    use_utf8_log_files(logger)
    logger.info(ANY)
    for handler in logger.handlers:
        handler.flush()
    text = (tmp_path / 'log').read_text(encoding='utf-8')
    assert 'before\n' in text and text.endswith('红 👍 \\ud83d caf\\udce9\n') and not errors.getvalue()


def _opened(handler: logging.FileHandler, opened, encoding: str) -> io.TextIOWrapper:
    stream = opened(handler)
    stream.reconfigure(encoding=encoding)
    return stream


@pytest.mark.parametrize('text, shown', [
    ('red circle', 'red circle'), ('', ''), ('红 👍🏽 👩\u200d🚀 الدائرة', '红 👍🏽 👩\u200d🚀 الدائرة'),
    ('a\nb\rc\r\nd\u2028e\u2029f\x85g\x0bh', 'a b c d e f g h'), ('a\tb\x00c\x1b[31md\x7f', 'a b c [31md '),
    ('a\ud83db', 'a\ufffdb'), ('caf\udce9', 'caf\ufffd'), ('\ud83d\ude00', '😀'), ('a\u202eb\u2066c', 'a b c')])
def test_one_line(text, shown):
    assert one_line(text) == shown
    assert len(shown.splitlines()) <= 1 and shown.encode().decode() == shown


def test_a_tool_in_a_shell(tmp_path):
    """The whole of it: a path that no encoding has, in a process whose reader and standard input are gone."""
    script = tmp_path / 'tool.py'
    script.write_text('import sys\nfrom mmris.utils.tool import run_tool\n'
                      'def main():\n    for _ in range(9999):\n        print(sys.argv[1], flush=True)\n'
                      '    open(sys.argv[1], "w").close()\n    return 3\n'
                      'run_tool(main)\n')
    out = os.fsencode(tmp_path) + b'/caf\xe9'
    environment = dict(os.environ, LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0')
    process = subprocess.Popen([sys.executable, script, out], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout.readline().endswith(b'/caf\\udce9\n')
    process.stdout.close()
    assert (process.stderr.read(), process.wait(timeout=120)) == (b'', 3) and os.path.isfile(out)
    process.stderr.close()
