"""Nothing of a request stays in the page's queue."""

import time

import pytest
from starlette.testclient import TestClient

from mmris.web import bounded_queue, page
from mmris.web.limits import DEFAULT_LIMITS
from mmris.web.models import Models
from mmris.web.server import make_app
from tests.web.test_web_gate import events, say


def test_requests_that_are_done_are_forgotten(tmp_path, monkeypatch):
    # As they are, and so again in the end: the page sets them.
    for name in ('GRADIO_TEMP_DIR', 'GRADIO_ANALYTICS_ENABLED'):
        monkeypatch.setenv(name, '')
    queues = []

    def bound_queue(blocks):
        bounded_queue.bound_queue(blocks)
        queues.append(blocks._queue)

    monkeypatch.setattr(page, 'bound_queue', bound_queue)
    monkeypatch.setattr(bounded_queue, 'RECORDS', 4)
    app, stopping = make_app(Models({'none': lambda: pytest.fail('A model was loaded.')}), tmp_path, DEFAULT_LIMITS)
    with TestClient(app, base_url='http://127.0.0.1') as client:
        for visitor in range(3):
            for _ in range(3):
                # Without a picture, the page answers with a message.
                assert 'process_completed' in say(client, events(client, 'find')[0], ['none', 'a dog'], f'{visitor}')
        queue, = queues
        end = time.monotonic() + 10
        while queue._asyncio_tasks and time.monotonic() < end:
            time.sleep(0.01)
        assert not queue._asyncio_tasks and 0 < len(queue.event_analytics) <= 4
        stopping.set()
