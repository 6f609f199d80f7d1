"""Starts a tool in several processes, as torchrun does, and ends with what the first of them to fail has to say.

    python -m mmris.utils.processes --nproc-per-node 8 tools/train.py CONFIG --launcher pytorch
"""

import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import ProcessFailure, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from mmris.utils.stop_signals import handle_stop_signals
from mmris.utils.tool import FIRST_ERROR, PROCESS, run_tool

# Those that torchrun answers by ending all processes. Stop signals are passed on instead: a training saves then.
_ENDING = 'SIGINT,SIGHUP,SIGQUIT'


def main() -> int:
    """Run torchrun's command line. Its table of failures, in which no message is, gives way to the message.

    SIGTERM and SIGUSR1 are passed on to the processes, which decide what to do.

    Returns:
        int: 0 if all processes ended well; the exit status of the first that failed if it said why, or that chose to
        end with this status; 1 if one was killed.
    """
    with tempfile.TemporaryDirectory(prefix='mmris-') as folder:
        first = Path(folder) / 'first_error'
        os.environ[FIRST_ERROR] = str(first)
        try:
            with handle_stop_signals(lambda received: _pass_on(received, Path(folder))):
                run.main(['--signals-to-handle', _ENDING, *sys.argv[1:]])
        except ChildFailedError as error:
            return _report(error, first)
    return 0


def _pass_on(received: signal.Signals, folder: Path) -> None:
    files = list(folder.glob(f'*{PROCESS}'))
    if not files:
        # None has begun: torchrun ends those that are starting.
        raise SignalException(f'Stopped by {received.name} before any process had begun.', received)
    for file in files:
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(file.read_text()), received)


def _report(error: ChildFailedError, first: Path) -> int:
    said = f'It said:\n{first.read_text("utf-8")}' if first.is_file() else ''
    _, failure = error.get_first_failure()
    # The others fail because this one is gone, whatever they say. By SIGTERM torchrun itself ends them.
    killed = [one for one in error.failures.values() if one.exitcode < 0 and one.exitcode != -signal.SIGTERM]
    if not killed and failure.exitcode < 0:
        killed = [failure]
    if killed:
        sys.stderr.write(f'\n{_describe(killed[0])} The other processes were stopped. Run the same command with '
                         f'--resume to continue a training.\n')
        sys.stderr.write(said.replace('It said', 'Another process said', 1))
        return 1
    if said:
        sys.stderr.write(f'\nA process failed, and the others were stopped. {said}')
    return failure.exitcode


def _describe(failure: ProcessFailure) -> str:
    name = signal.Signals(-failure.exitcode).name
    known = ' Linux ends processes so when memory runs out: lower train_dataloader.num_workers or batch_size.'
    return f'Rank {failure.local_rank} of this machine (process {failure.pid}) was ended by {name}.' \
           f'{known if name == "SIGKILL" else ""}'


if __name__ == '__main__':
    run_tool(main)
