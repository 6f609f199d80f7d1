"""Signals that ask a process to end."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mmris.utils.stop_signals import end_with_advice, handle_stop_signals
from tests.conftest import ROOT

FORK = """
import os, signal, sys, time
from mmris.utils.stop_signals import handle_stop_signals
with handle_stop_signals(lambda received: print('handled', received.name, flush=True)):
    child = os.fork()
    if child == 0:
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    print('child', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_end_says_how_to_continue(capfd):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, end_with_advice('Run the same command to continue.'):
        os.kill(os.getpid(), signal.SIGTERM)
        # Between two instructions of Python.
        pass
    assert caught.value.code == 128 + signal.SIGTERM and signal.getsignal(signal.SIGTERM) is before
    assert capfd.readouterr().err == 'Stopped by SIGTERM. Run the same command to continue.\n'


def test_forked_processes_end_as_ever():
    said = subprocess.run([sys.executable, '-c', FORK], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout == f'handled SIGUSR1\nchild {-signal.SIGTERM}\n', said.stderr


def test_in_a_thread_nothing_changes():
    found = []

    def work() -> None:
        with handle_stop_signals(lambda received: None):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
