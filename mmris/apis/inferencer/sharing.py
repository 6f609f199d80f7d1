"""Processes that share the images of a run."""

import os
import subprocess
from datetime import timedelta
from typing import Callable, List, Sequence, TypeVar

import torch
from torch import distributed

Item = TypeVar('Item')
# One process may have long images and another short ones: how long they wait for one another.
_PATIENCE = timedelta(days=30)


class Processes:
    """The processes that share the images of a run. A new one stands for this process alone."""

    def __init__(self) -> None:
        self.rank, self.count = 0, 1

    @classmethod
    def join(cls, launcher: str) -> 'Processes':
        """Join the processes that a launcher started.

        Each takes the GPU of its number on the machine, if there are GPUs. They only wait for one another, so that any
        machine will do.

        Args:
            launcher (str): ``'none'``, ``'pytorch'`` (torchrun) or ``'slurm'`` (srun).

        Returns:
            Processes: This process among them. To be left by :func:`~mmris.utils.launching.destroy_process_group`.
        """
        joined = cls()
        if launcher == 'none':
            return joined
        if launcher == 'slurm':
            _read_slurm()
        distributed.init_process_group(backend='gloo', timeout=_PATIENCE)
        joined.rank, joined.count = distributed.get_rank(), distributed.get_world_size()
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())
        return joined

    @property
    def is_first(self) -> bool:
        """bool: Whether this is the process that does what is done once."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> List[Item]:
        """The part of some items that is this process's: each item is that of one process."""
        return list(items[self.rank::self.count])

    def share(self, value: Item) -> Item:
        """Give all processes what the first has; the others' values do not matter."""
        if self.count == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, src=0)
        return shared[0]

    def do_once(self, work: Callable[[], Item]) -> Item:
        """Have the first process do something while the others wait; what it returns, for all.

        Args:
            work (Callable): Takes nothing.

        Raises:
            Exception: What the work raised; in the other processes a RuntimeError with the same message.
        """
        result, failure = None, None
        if self.is_first:
            try:
                result = work()
            except Exception as error:
                failure = error
        result, message = self.share((result, None if failure is None else str(failure)))
        if failure is not None:
            raise failure
        if message is not None:
            raise RuntimeError(message)
        return result

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            distributed.barrier()


def _read_slurm() -> None:
    """Bring what srun says into the variables that torchrun sets."""
    names = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')
    os.environ.update({name: os.environ[given] for name, given in names.items()})
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
                               capture_output=True,
                               text=True,
                               check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]
