"""Serving the page."""

import asyncio
import errno
import os
import signal
import socket
import threading
import warnings
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, AsyncIterator, Callable, Tuple

from .limits import DEFAULT_LIMITS, Limits
from .models import Models


def serve(models: Models, host: str = '127.0.0.1', port: int = 7860, limits: Limits = DEFAULT_LIMITS) -> None:
    """Serve the page until the process is interrupted (Ctrl-C).

    No address outside is contacted, but for weights that a model needs and this machine lacks. All files of visitors
    lie in a temporary folder, which is removed in the end.

    Args:
        models (Models): The models that the page offers. The first one is chosen at first.
        host (str): Name or address of this machine that the page is served at. Default: ``'127.0.0.1'``, this machine
            alone.
        port (int): Default: 7860. 0 stands for any that is free.
        limits (Limits): What is taken from visitors and kept. Default: all defaults.

    Raises:
        OSError: If the port is in use or needs rights, or the host is none of this machine's.
        ImportError: If Gradio is not installed.
    """
    with listen(host, port) as listener, TemporaryDirectory(prefix='mmris_web_') as folder:
        server = _make_server(*make_app(models, Path(folder), limits))
        bound_host, bound_port = listener.getsockname()[:2]
        shown_host = f'[{bound_host}]' if ':' in bound_host else bound_host
        print(f'The page is at http://{shown_host}:{bound_port}. Stop it with Ctrl-C.', flush=True)
        if threading.current_thread() is threading.main_thread():
            # Ended by a service manager, it also removes the files of visitors.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        # uvicorn raises a signal again when it has stopped. If asyncio has ended meanwhile, nothing comes of that.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        print('Stopped.')


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the page is served at.

    Args:
        host (str): As of :func:`serve`.
        port (int): As of :func:`serve`.

    Returns:
        socket: Bound, and listening.

    Raises:
        OSError: As :func:`serve`.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(f'There is no host {host!r}. Give a name or an address of this machine, such as 127.0.0.1.') \
            from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(_explain(error, host, port)) from error
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f'Port {port} of {host} is in use. Stop what uses it, or choose another: --port {port + 1}.'
    if error.errno == errno.EACCES:
        return f'Port {port} needs rights that you do not have. Choose one above 1023, such as --port 7860.'
    if error.errno == errno.EADDRNOTAVAIL:
        return f'{host} is no address of this machine. Give one of its own, such as 127.0.0.1.'
    return f'The page cannot be served at port {port} of {host}: {error.strerror}.'


def make_app(models: Models, folder: Path, limits: Limits) -> Tuple[Callable, asyncio.Event]:
    """Make the ASGI application of the page.

    Args:
        models (Models): As of :func:`serve`.
        folder (Path): An empty folder for the files of visitors.
        limits (Limits): As of :func:`serve`.

    Returns:
        tuple[Callable, Event]: The application, and what ends its open connections when it is set.

    Raises:
        ImportError: If Gradio is not installed.
    """
    visitors = folder / 'visitors'
    visitors.mkdir()
    # Gradio looks at these when it is imported, or when components are made.
    os.environ.update(GRADIO_TEMP_DIR=str(folder), GRADIO_ANALYTICS_ENABLED='False')
    try:
        import gradio as gr
        from fastapi import FastAPI
    except ImportError as error:
        raise ImportError('The web page needs Gradio. Install it: pip install "mmris[maintained,web]"') from error
    from .examples import FOLDER
    from .gate import Gate
    from .page import CSS, THEME, Page
    from .service import Service
    from .uploads import Uploads

    uploads = Uploads(folder, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(uploads.keep_sweeping())
        yield
        sweeping.cancel()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    gr.mount_gradio_app(
        app,
        Page(Service(models, visitors, limits)).blocks,
        path='/',
        footer_links=[],
        max_file_size=limits.file_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=THEME,
        css=CSS)
    return Gate(app, uploads, [FOLDER], limits), app.routes[-1].app.stop_event


def _make_server(app: Callable, stopping: asyncio.Event) -> Any:
    """A server that ends the connections of open pages when it stops, instead of waiting for them."""
    import uvicorn

    class PageServer(uvicorn.Server):

        async def shutdown(self, *arguments: Any, **settings: Any) -> None:
            stopping.set()
            await super().shutdown(*arguments, **settings)

    # Of Gradio's own code, which only its authors can follow; and of pictures that the page refuses itself.
    warnings.filterwarnings('ignore', message="'HTTP_422_UNPROCESSABLE_ENTITY' is deprecated")
    warnings.filterwarnings('ignore', message='Image size .* could be decompression bomb')
    return PageServer(
        uvicorn.Config(app, log_level='warning', ws='none', server_header=False, timeout_graceful_shutdown=2))
