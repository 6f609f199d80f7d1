"""Starts a tool in several processes, as torchrun does, and ends with what the first of them to fail has to say.

    python -m mmris.utils.processes --nproc-per-node 8 tools/train.py CONFIG --launcher pytorch
"""

import os
import sys
import tempfile
from pathlib import Path

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from mmris.utils.tool import FIRST_ERROR, run_tool


def main() -> int:
    """Run torchrun's command line. Its table of failures, in which no message is, gives way to the message.

    Returns:
        int: 0 if all processes ended well; the exit status of the first that failed if it said why, or that chose to
        end with this status.

    Raises:
        ChildFailedError: If a process was killed.
    """
    with tempfile.TemporaryDirectory(prefix='mmris-') as folder:
        first = Path(folder) / 'first_error'
        os.environ[FIRST_ERROR] = str(first)
        try:
            run.main(sys.argv[1:])
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            if not first.is_file():
                if failure.exitcode > 0:
                    return failure.exitcode
                raise
            sys.stderr.write(f'\nA process failed, and the others were stopped. It said:\n{first.read_text("utf-8")}')
            return failure.exitcode if failure.exitcode > 0 else 1
    return 0


if __name__ == '__main__':
    run_tool(main)
