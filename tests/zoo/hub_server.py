"""A server that plays the Hugging Face hub, with files that fail in different ways."""

import hashlib
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ContextManager, Iterator, List, Optional

COMMIT = 'a' * 40
# Longer than what the client writes at once.
CONTENT = bytes(range(251)) * 50000
# What is sent of a file that stalls: more than the client writes at once, and not all.
BEFORE_THE_STALL = 11 * 2**20


class HubServer(ThreadingHTTPServer):
    """Serves ``/REPOSITORY/resolve/REVISION/FILE``: ``CONTENT``, but

    - of ``us/missing`` there is nothing,
    - a request about ``us/silent`` is never answered,
    - the first download of ``us/stalls`` ends in silence.

    Attributes:
        ranges (list[str, optional]): The Range header of each download of ``us/stalls``.
    """
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.ranges: List[Optional[str]] = []

    @property
    def address(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'


class Handler(BaseHTTPRequestHandler):

    def do_HEAD(self) -> None:  # noqa: N802
        self.answer(with_content=False)

    def do_GET(self) -> None:  # noqa: N802
        self.answer(with_content=True)

    def answer(self, with_content: bool) -> None:
        repository = '/'.join(self.path.split('/')[1:3])
        if repository == 'us/silent':
            time.sleep(60)
        if repository == 'us/missing':
            self.send_response(404)
            self.send_header('X-Error-Code', 'EntryNotFound')
            self.send_header('X-Repo-Commit', COMMIT)
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        start = self.send_headers(with_content)
        if with_content and repository == 'us/stalls':
            self.server.ranges.append(self.headers['Range'])
            if len(self.server.ranges) == 1:
                self.wfile.write(CONTENT[:BEFORE_THE_STALL])
                time.sleep(60)
        if with_content:
            self.wfile.write(CONTENT[start:])

    def send_headers(self, with_content: bool) -> int:
        """Send the headers that the client asks for, and return where the content begins."""
        wanted = self.headers['Range'] if with_content else None
        start = int(wanted.removeprefix('bytes=').rstrip('-')) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header('Content-Range', f'bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}')
        self.send_header('X-Repo-Commit', COMMIT)
        self.send_header('ETag', f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header('Content-Length', str(len(CONTENT) - start))
        self.end_headers()
        return start

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    """A server that answers until the block ends."""
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def serve_hub() -> ContextManager[HubServer]:
    """A running server."""
    return running(HubServer())
