"""A server of files that fails in different ways, and the archives that it serves."""

import io
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Dict, Iterator, List, Optional

from mmris.datasets.downloading import DataSet, Patience, RemoteFile

#: So short that tests take no time.
QUICK = Patience(connect=1.0, answer=2.0, attempts=3, pause=0.01)


class FileServer(ThreadingHTTPServer):
    """Serves ``files`` by their names.

    Attributes:
        files (dict[str, bytes]): The contents.
        ranges (list[str, optional]): The Range header of each request.
        cuts (list[int]): After how many bytes of each of the next answers the connection is cut.
        takes_ranges (bool): Whether ranges are served.
        etag (str): Of all files.
        busy (int): How many of the next requests are answered with 503.
        stall (Event, optional): What an answer waits for after its first half.
    """
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.files: Dict[str, bytes] = {}
        self.ranges: List[Optional[str]] = []
        self.cuts: List[int] = []
        self.takes_ranges, self.etag, self.busy, self.stall = True, '"one"', 0, None

    def address(self, name: str) -> str:
        return f'http://127.0.0.1:{self.server_port}/{name}'


class Handler(BaseHTTPRequestHandler):

    def do_GET(self) -> None:  # noqa: N802
        server, content = self.server, self.server.files.get(self.path[1:])
        server.ranges.append(self.headers['Range'])
        if server.busy or content is None:
            server.busy = max(server.busy - 1, 0)
            self.send_error(404 if content is None else 503)
            return
        start = 0
        if self.headers['Range'] and server.takes_ranges:
            start = int(self.headers['Range'].removeprefix('bytes=').rstrip('-'))
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header('Content-Range', f'bytes {start}-{len(content) - 1}/{len(content)}')
        self.send_header('ETag', server.etag)
        self.send_header('Content-Length', str(len(content) - start))
        self.end_headers()
        if server.stall is not None:
            self.wfile.write(content[start:len(content) // 2])
            server.stall.wait(60)
            return
        self.wfile.write(content[start:start + server.cuts.pop(0)] if server.cuts else content[start:])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def serve_files() -> Iterator[FileServer]:
    """A running server."""
    server = FileServer()
    Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def make_zip(members: Dict[str, bytes], links: Dict[str, str] = {}) -> bytes:
    """A zip archive of files, and of links to other paths."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for name, target in links.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, target)
    return written.getvalue()


def zip_folder(folder: Path, inside: str) -> bytes:
    """A zip archive of a folder's files, with the rubbish that a Mac adds."""
    members = {f'{inside}/{path.name}': path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return make_zip({**members, f'__MACOSX/{inside}/instances.json': b'rubbish', f'{inside}/.DS_Store': b'rubbish'})


def images_row(address: str, **changes: object) -> DataSet:
    """A set of three images in ``pictures.zip``."""
    row = dict(name='pictures', what='', folder='coco/train', licence='', image_count=3,
               sources=(RemoteFile(address=address, path='pictures.zip', size=1234567), ))
    return DataSet(**{**row, **changes})
