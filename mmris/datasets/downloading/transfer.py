"""Downloads over HTTP that continue where they stopped, with the standard library alone."""

import http.client
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Callable, Dict, Iterable, Optional, Tuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from mmris.utils.sizes import in_words
from mmris.version import __version__

from .part import Part, Version, unlike
from .table import RemoteFile

_BLOCK = 2**18
# Answers of servers that are busy.
_PASSING = (408, 429, 500, 502, 503, 504)
# Bytes that have to come before failures are counted from the beginning again.
_PROGRESS = 2**20


@dataclass(frozen=True)
class Patience:
    """How long to wait for servers.

    Args:
        connect (float): Seconds until a server has to take a connection. Default: 4.
        answer (float): Seconds until it has to send something. Default: 60, since the Internet Archive is slow.
        attempts (int): How often to try before giving up. Default: 5.
        pause (float): Seconds before the second attempt; each pause is twice the one before. Default: 2.
    """
    connect: float = 4.0
    answer: float = 60.0
    attempts: int = 5
    pause: float = 2.0


PATIENCE = Patience()
"""As its defaults."""


class CutConnectionError(Exception):
    """A download that stopped before its end and is worth another attempt; the text says why."""


def find_unreachable(addresses: Iterable[str], patience: Patience) -> Dict[str, str]:
    """Try to connect to the servers of some addresses, all at once.

    Args:
        addresses (Iterable[str]): The addresses.
        patience (Patience): ``connect`` is how long this takes at most, to a third of a second.

    Returns:
        dict[str, str]: For each server that takes no connection, as in its addresses, what went wrong, such as
            ``does not answer within 4 seconds``.
    """
    endpoints = {urlsplit(address).netloc: _endpoint(address) for address in addresses}
    problems = {server: f'does not answer within {patience.connect:g} seconds' for server in endpoints}

    def connect(server: str, endpoint: Tuple[str, int]) -> None:
        try:
            socket.create_connection(endpoint, timeout=patience.connect).close()
            del problems[server]
        except TimeoutError:
            return
        except OSError as error:
            problems[server] = f'cannot be reached ({_reason(error)})'

    # The name of a server may take longer to look up than any time limit of a connection.
    threads = [Thread(target=connect, args=pair, daemon=True) for pair in endpoints.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience.connect + 0.3
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    return dict(problems)


def download(source: RemoteFile, target: Path, *, patience: Patience, check_room: Callable[[int], None],
             say: Callable[[str], None]) -> None:
    """Download a file, or the rest of it, and give it its name when it is whole. Shows a bar on terminals.

    Args:
        source (RemoteFile): The file.
        target (Path): Where it shall be. Until then it is at ``TARGET.part``, and stays there if this is interrupted.
        patience (Patience): How long to wait, and how often to try.
        check_room (Callable): Gets the bytes that are still to come, before they come, if the server says how many.
        say (Callable): Gets lines about what happens.

    Raises:
        ConnectionError: If the connection was cut more often than ``patience`` has attempts, or the server refuses.
        FileNotFoundError: If the server has no such file.
        ValueError: If it gives something else, such as an HTML page.
        OSError: If the disk is full; or as ``check_room`` raises.
        BlockingIOError: If another process is downloading it.
    """
    part = Part(target)
    try:
        if part.size:
            say(f'{part.path}: continuing after {in_words(part.size)}')
        furthest, failures = part.size, 0
        while not part.is_whole:
            try:
                if _receive(source, part, patience, check_room, say):
                    break
            except CutConnectionError as cut:
                failures = 1 if part.size >= furthest + _PROGRESS else failures + 1
                furthest = max(furthest, part.size)
                _pause(cut, source, part, failures, patience, say)
        _check_content(source, part)
        part.finish()
    finally:
        part.close()


def _pause(cut: CutConnectionError, source: RemoteFile, part: Part, failures: int, patience: Patience,
           say: Callable[[str], None]) -> None:
    there = in_words(part.size)
    if failures >= patience.attempts:
        raise ConnectionError(
            f'The download of {source.name} broke off after {there} ({cut}), {failures} times in a row. Run the same '
            f'command again: it continues there. {by_hand(source, part.target)}') from cut
    seconds = patience.pause * 2**(failures - 1)
    say(f'{source.name}: the connection broke off after {there} ({cut}); next attempt in {seconds:g} s')
    time.sleep(seconds)


def _receive(source: RemoteFile, part: Part, patience: Patience, check_room: Callable[[int], None],
             say: Callable[[str], None]) -> bool:
    """Ask for what is missing, and write it down. Return whether the file is whole; if not, ask again."""
    with _request(source, part, patience) as response:
        is_range = response.status == 206
        version = Version.of_answer(response.headers, is_range)
        if part.size and not (is_range and _begins_at(response, part.size) and version.is_same(part.version)):
            same = version.is_same(part.version)
            why = 'the server sends whole files only' if same else 'the file on the server has changed'
            say(f'{source.name}: {why}, so it is downloaded from its beginning')
            part.restart()
            if is_range:
                return False
        part.note(version)
        if version.length is not None:
            check_room(version.length - part.size)
        _copy(response, source, part)
    if version.length is not None and part.size != version.length:
        raise CutConnectionError(f'{part.size:,} of {version.length:,} bytes came')
    return True


def _copy(response: http.client.HTTPResponse, source: RemoteFile, part: Part) -> None:
    is_first = part.size == 0
    with tqdm(
            desc=source.name, total=part.version.length, initial=part.size, unit='B', unit_scale=True,
            disable=None) as bar:
        while True:
            try:
                block = response.read1(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise CutConnectionError(_reason(error)) from error
            if not block:
                return
            part.append(block)
            bar.update(len(block))
            if is_first:
                _check_content(source, part)
                is_first = False


def _request(source: RemoteFile, part: Part, patience: Patience) -> http.client.HTTPResponse:
    # Compressed on its way, a range would be one of other bytes.
    headers = {'User-Agent': f'mmris/{__version__}', 'Accept-Encoding': 'identity'}
    if part.size:
        headers['Range'] = f'bytes={part.size}-'
    try:
        return urllib.request.urlopen(urllib.request.Request(source.address, headers=headers), timeout=patience.answer)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            # What is there is no beginning of what the server has.
            part.restart()
            raise CutConnectionError('the file on the server has changed') from error
        said = f'{error.code} {error.reason}'
        if error.code in _PASSING:
            raise CutConnectionError(f'the server answers {said}') from error
        kind = FileNotFoundError if error.code in (404, 410) else ConnectionError
        raise kind(f'{source.address} cannot be downloaded: the server answers {said}. '
                   f'{by_hand(source, part.target)}') from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, 'reason', None), ssl.SSLCertVerificationError):
            raise ConnectionError(f'{source.address} cannot be downloaded: {_reason(error)}. '
                                  f'{by_hand(source, part.target)}') from error
        raise CutConnectionError(_reason(error)) from error


def _begins_at(response: http.client.HTTPResponse, start: int) -> bool:
    return response.headers.get('Content-Range', '').startswith(f'bytes {start}-')


def _check_content(source: RemoteFile, part: Part) -> None:
    what = unlike(part.read_start(), source.is_archive)
    if what is not None:
        part.discard()
        raise ValueError(
            f'{source.address} does not give {source.name}; what came is {what}. Open the address in a browser to see '
            f'what it says, or try again later. {by_hand(source, part.target)}')


def by_hand(source: RemoteFile, target: Path) -> str:
    """Advice for messages: how to do without this download."""
    return f'Or download {source.name} on any machine from {source.address}, and put it at {target}.'


def _endpoint(address: str) -> Tuple[str, int]:
    """Host and port to connect to for an address: the proxy's, if one is set."""
    parts = urlsplit(address)
    proxy: Optional[str] = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if '//' in proxy else f'//{proxy}')
    return parts.hostname or '', parts.port or (443 if parts.scheme == 'https' else 80)


def _reason(error: BaseException) -> str:
    """What the system said, below what the layers of HTTP add."""
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        return _reason(error.reason)
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
