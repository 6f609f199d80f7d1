"""How the processes of a training agree to stop at the same step."""

from typing import Optional

import torch
from mmengine.dist import get_world_size
from torch import distributed


class StopAgreement:
    """Tells all processes, after the same step, that one of them was asked to stop.

    Each step starts a sum of one number over the processes, which nobody waits for, and looks at that of the step
    before, which is there by then. So a step is not slowed, and all stop one step later than the one that was asked.
    A process alone stops at once.
    """

    def __init__(self) -> None:
        # Of processors: to look at a number on a GPU would wait for all that the GPU has to do.
        self._group = distributed.new_group(backend='gloo') if get_world_size() > 1 else None
        self._sum = torch.zeros(1, dtype=torch.int32)
        self._pending: Optional[distributed.Work] = None

    def step(self, wanted: bool) -> bool:
        """Take part in a step's agreement. To be called by all processes equally often.

        Args:
            wanted (bool): Whether this process was asked to stop.

        Returns:
            bool: Whether all stop now.
        """
        if self._group is None:
            return wanted
        if self.finish():
            return True
        self._sum = torch.tensor([int(wanted)], dtype=torch.int32)
        self._pending = distributed.all_reduce(self._sum, group=self._group, async_op=True)
        return False

    def finish(self) -> bool:
        """Wait for what is under way, and tell whether it says to stop."""
        if self._pending is None:
            return False
        self._pending.wait()
        self._pending = None
        return bool(self._sum)
