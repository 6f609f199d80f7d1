"""What a visitor's browser may ask the server for: no more than the page needs."""

import json
import mimetypes
import re
from pathlib import Path
from typing import Any, Awaitable, Callable, Iterator, MutableMapping, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from .limits import Limits
from .uploads import Uploads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FILE, UPLOAD, EVENT = '/gradio_api/file=', '/gradio_api/upload', '/gradio_api/queue/join'
# Gradio serves more: files of other folders, addresses that it fetches for visitors, profiles, reloads.
PATHS = re.compile(
    '/(|config|theme.css|favicon.ico|robots.txt|manifest.json|(static|assets|svelte)/.*|'
    'gradio_api/(info|startup-events|theme.css|heartbeat/[a-z0-9]+|queue/(data|join)|cancel|reset|upload|'
    'upload_progress|file=.*))/?')
# The browser refuses what comes from elsewhere, should the page ever ask for it. Gradio's templates need 'unsafe-eval'.
POLICY = ("default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
          "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
          "base-uri 'self'; form-action 'self'; frame-ancestors 'self'")
HEADERS = [(b'content-security-policy', POLICY.encode()), (b'referrer-policy', b'no-referrer'),
           (b'x-content-type-options', b'nosniff')]
# What a browser shows. Other files, which might be pages with scripts, it only saves.
SHOWN = ('image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp')
# Of a request that is no upload, and of what surrounds the file in one that is.
OTHER_BYTES = 500_000


class Gate:
    """An ASGI application in front of the page's.

    It answers requests that the page does not need with 404, requests for files outside of the served folders with
    403, and those that are too large with 413. It looks at what events say of files before Gradio does, which would
    fetch an address.

    Args:
        app (Callable): The page's ASGI application.
        uploads (Uploads): Where uploaded files are.
        served (Sequence[Path]): Folders of other files that are served.
        limits (Limits): How large an upload may be.
    """

    def __init__(self, app: Callable, uploads: Uploads, served: Sequence[Path], limits: Limits) -> None:
        self._app = app
        self._uploads = uploads
        self._served = [uploads.folder, *(folder.resolve() for folder in served)]
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
        elif scope['type'] == 'http':
            path = scope['path']
            refusal = self._refuse(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
            elif path.startswith(FILE):
                answer = await run_in_threadpool(_read_file, Path(path.removeprefix(FILE)))
                await answer(scope, receive, _with_headers(send))
            else:
                await self._pass(scope, receive, _with_headers(send))

    def _refuse(self, scope: Scope) -> PlainTextResponse | None:
        path = scope['path']
        if not PATHS.fullmatch(path):
            return PlainTextResponse('Not found.', 404)
        if path.startswith(FILE) and not self._is_served(path.removeprefix(FILE)):
            return PlainTextResponse('Not allowed.', 403)
        if path.rstrip('/') == UPLOAD and not self._uploads.has_room():
            return PlainTextResponse('Too many pictures were uploaded in the last minutes. Try again soon.', 429)
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on whose body is small enough and names no file of elsewhere."""
        path = scope['path'].rstrip('/')
        if scope['method'] != 'POST':
            await self._app(scope, receive, send)
            return
        is_upload = path == UPLOAD
        most = OTHER_BYTES + (self._limits.file_bytes if is_upload else 0)
        body = bytearray()
        while True:
            message = await receive()
            if message['type'] == 'http.disconnect':
                return
            body += message.get('body', b'')
            if len(body) > most:
                what = f'A picture may have {self._limits.describe_picture()}.' if is_upload else 'Too large a request.'
                await PlainTextResponse(what, 413)(scope, receive, send)
                return
            if not message.get('more_body'):
                break
        if path == EVENT and not self._are_served(bytes(body)):
            await PlainTextResponse('Not allowed.', 403)(scope, receive, send)
            return
        await self._app(scope, _replay(bytes(body), receive), send)

    def _is_served(self, name: str) -> bool:
        try:
            path = Path(name).resolve()
            return any(path.is_relative_to(folder) for folder in self._served)
        except (OSError, ValueError):
            # No name of a file.
            return False

    def _are_served(self, body: bytes) -> bool:
        """Whether all files that an event speaks of are served ones."""
        try:
            paths = list(_find_paths(json.loads(body)))
        except (ValueError, RecursionError):
            return False
        return all(isinstance(path, str) and self._is_served(path) for path in paths)


def _read_file(path: Path) -> Response:
    """The content of a file, read at once: its visitor may leave, and it with them, before all of it is sent."""
    try:
        content = path.read_bytes()
    except OSError:
        return PlainTextResponse('Not allowed.', 403)
    kind = mimetypes.guess_type(path.name)[0]
    if kind in SHOWN:
        return Response(content, media_type=kind)
    return Response(
        content, media_type='application/octet-stream', headers={'content-disposition': 'attachment'})


def _find_paths(value: Any) -> Iterator[Any]:
    """What stands under ``path`` anywhere in an event, None aside."""
    if isinstance(value, dict):
        if value.get('path') is not None:
            yield value['path']
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _find_paths(part)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body that was read, then whatever comes."""
    waiting = [dict(type='http.request', body=body, more_body=False)]

    async def replay() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


def _with_headers(send: Send) -> Send:

    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message['type'] == 'http.response.start':
            message['headers'] = [*message.get('headers', []), *HEADERS]
        await send(message)

    return send_with_headers
