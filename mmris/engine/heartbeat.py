"""Signs of life that the processes of a run give one another."""

import json
import os
import socket
import time
from typing import Any, Dict, List, NamedTuple, Optional

from mmengine.dist import get_rank, get_world_size
from torch import distributed

# Signs of life that a process gives while it looks for those of others, and the store's key for what the first found.
_SIGNS, _FOUND = 6, 'mmris/laggards'


class Position(NamedTuple):
    """Where a process is in its run. Later ones are greater.

    Attributes:
        step (int): Steps of the training that have ended.
        part (int): 0 while a batch is awaited, 1 in a step, from 2 on batches of an evaluation.
        said (str): The same in words.
    """

    step: int
    part: int
    said: str


class Heartbeat:
    """Tells the other processes, through the store by which they found one another, that this one lives and where.

    The store has a connection of its own here, so that it may be used from a thread while another waits.
    """

    def __init__(self) -> None:
        self._count = 0
        self._store: Optional[distributed.Store] = None
        if get_world_size() > 1:
            self._store = distributed.distributed_c10d._get_default_store().clone()

    def beat(self, position: Position) -> None:
        """Give a sign of life.

        Raises:
            RuntimeError: If the store does not answer.
        """
        if self._store is not None:
            self._count += 1
            own = dict(count=self._count, position=position, pid=os.getpid(), host=socket.gethostname())
            self._store.set(_key(get_rank()), json.dumps(own))

    def find_laggards(self, position: Position, seconds: float) -> List[str]:
        """Find out for which processes the others wait.

        Args:
            position (Position): Where this process is. It gives signs of life while it looks.
            seconds (float): How long to look whether a process still gives signs of life; longer than between two.

        Returns:
            list[str]: A sentence for each. Those that give no signs, or else those that are behind all others. All
            processes get what the first of them has found: it may have ended since.

        Raises:
            RuntimeError: If the store does not answer.
        """
        before = self._read()
        for _ in range(_SIGNS):
            time.sleep(seconds / _SIGNS)
            self.beat(position)
        after = self._read()
        if not self._store.check([_FOUND]):
            self._store.set(_FOUND, json.dumps(self._compare(before, after)))
        return json.loads(self._store.get(_FOUND))

    @staticmethod
    def _compare(before: Dict[int, dict], after: Dict[int, dict]) -> List[str]:
        silent = [rank for rank in after if after[rank] == before.get(rank)]
        if silent:
            return [f'{_name(rank, after[rank])} gives no sign of life. It was last {after[rank]["position"][2]}.'
                    for rank in silent]
        first = min(own['position'][:2] for own in after.values())
        return [f'{_name(rank, own)} is {own["position"][2]}.' for rank, own in after.items()
                if own['position'][:2] == first]

    def _read(self) -> Dict[int, Dict[str, Any]]:
        if self._store is None:
            return {}
        ranks = [rank for rank in range(get_world_size()) if self._store.check([_key(rank)])]
        return {rank: json.loads(self._store.get(_key(rank))) for rank in ranks}


def _key(rank: int) -> str:
    return f'mmris/heartbeat/{rank}'


def _name(rank: int, own: Dict[str, Any]) -> str:
    return f'Rank {rank} (process {own["pid"]} on {own["host"]})'
