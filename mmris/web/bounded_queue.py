"""What Gradio's queue would keep of each request until the server ends.

Gradio 6.17 keeps a record of each request, which it counts up after each of them, and its finished task, with all that
the task could see. Later versions keep neither (https://github.com/gradio-app/gradio/pull/13756).
"""

from asyncio import Task
from collections import OrderedDict
from typing import Any

import gradio as gr

# Far more than wait at once.
RECORDS = 1000


def bound_queue(blocks: gr.Blocks) -> None:
    """Let the queue of a page forget requests that are done. Versions of Gradio that do so themselves stay as they are.

    Args:
        blocks (Blocks): After :meth:`gradio.Blocks.queue`, and before it is served.
    """
    queue = blocks._queue
    if isinstance(queue._asyncio_tasks, list):
        queue._asyncio_tasks = _RunningTasks()
    if type(queue.event_analytics) is dict:
        queue.event_analytics = _LastRecords()


class _RunningTasks(list):
    """A list of tasks that each of them leaves when it is done."""

    def append(self, task: Task) -> None:
        super().append(task)
        task.add_done_callback(self._leave)

    def _leave(self, task: Task) -> None:
        if task in self:
            self.remove(task)


class _LastRecords(OrderedDict):
    """A dict of the last entries."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > RECORDS:
            self.popitem(last=False)
