"""Scalars of a run in a file that has whole lines alone."""

import errno
import logging
import os

from mmengine.fileio import dump
from mmengine.logging import print_log
from mmengine.visualization import LocalVisBackend as MMEngineLocalVisBackend

from mmris.registry import VISBACKENDS


@VISBACKENDS.register_module()
class LocalVisBackend(MMEngineLocalVisBackend):
    """MMEngine's ``LocalVisBackend`` (which see for all arguments), which a full disk does not stop.

    A line that cannot be written is left out, as a whole, and the first is warned of: curves with a gap are no reason
    to end a training.
    """

    _has_warned = False

    def _dump(self, value_dict: dict, file_path: str, file_format: str) -> None:
        try:
            _append(file_path, f'{dump(value_dict, file_format=file_format)}\n')
        except OSError as error:
            if not self._has_warned:
                print_log(
                    f'{file_path} cannot be written ({error.strerror}), so curves and logs of this run have gaps from '
                    f'now on. Training continues. Free space on that disk.',
                    logger='current',
                    level=logging.WARNING)
            self._has_warned = True


def _append(path: str, line: str) -> None:
    with open(path, 'ab', buffering=0) as file:
        end = file.tell()
        try:
            content = line.encode()
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.truncate(path, end)
            raise
