"""Downloads from the Hugging Face hub, with its client's cache, progress and continued downloads.

The client waits long for a hub that does not answer: it tries several times, with pauses. So one short question goes
first, and without an answer to it nothing else is tried.
"""

import os
import re
from pathlib import Path
from threading import Thread
from typing import List, Sequence

import huggingface_hub
from huggingface_hub import constants, errors, utils

from mmris.hub.folder import CONFIG, MOST_OF_CONFIG, explain_no_model, is_published_file

from .fetching import describe
from .models import HubFile

# Seconds to wait for the hub's first answer. The client's own variable changes them.
_PATIENCE = 4.0
# Names of weights in a published model's copy, with their index if they are several files.
_SAFE = re.compile(r'model.*\.safetensors(\.index\.json)?')
_PICKLED = re.compile(r'pytorch_model.*\.bin(\.index\.json)?')


def download(file: HubFile, what: str, placed: Path, beside: str = '') -> Path:
    """Download a file, unless it is in the hub's cache.

    Args:
        file (HubFile): The file.
        what (str): What it holds, for messages.
        placed (Path): Where a user may put the file instead, for messages.
        beside (str): What to say in messages of other files that are needed. Default: ''.

    Returns:
        Path: The file in the hub's cache.

    Raises:
        ConnectionError: If the hub cannot be reached, does not answer, or the download breaks off.
        FileNotFoundError: If the hub has no such repository, revision or file.
        OSError: If the cache cannot be written.
    """
    cached = huggingface_hub.try_to_load_from_cache(file.repository, file.file, revision=file.revision)
    if isinstance(cached, str):
        return Path(cached)
    address = huggingface_hub.hf_hub_url(file.repository, file.file, revision=file.revision)
    advice = f'Or fetch {describe(file)} from {address} on another machine and put it at {placed}.{beside}'
    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(
            f'HF_HUB_OFFLINE is set, but the cache {constants.HF_HUB_CACHE} lacks {what}. Unset it, and run this '
            f'again with a network. {advice}')
    _check_answer(address, what, advice)
    try:
        return Path(huggingface_hub.hf_hub_download(
            file.repository, file.file, revision=file.revision, etag_timeout=_patience()))
    except Exception as error:
        # The client has other classes of errors in other versions.
        raise _explain(error, file, what, advice) from error


def download_repository(repository: str, beside: Sequence[str]) -> Path:
    """Download weights out of a repository, in one file or in several, and the files that stand beside them.

    Of a model that ``mmris push`` wrote, that is its config, its weights as safetensors and its vocabulary, and nothing
    else: no program, no pickle.

    Args:
        repository (str): Such as ``YxZhang/evf-sam``.
        beside (Sequence[str]): Names of other files of a published model's copy, which need not be there.

    Returns:
        Path: The folder in the hub's cache.

    Raises:
        ConnectionError, FileNotFoundError, OSError: As :func:`download`.
        ValueError: If its config is too large to be one.
    """
    what = f'the weights of {repository}'
    file = HubFile(repository=repository, file=CONFIG)
    address = f'{constants.ENDPOINT}/{repository}'
    advice = f'Or fetch the files of {address} on another machine, put them into one folder and give that folder.'
    if constants.HF_HUB_OFFLINE:
        # Not snapshot_download, which in some versions asks for all files of the repository.
        cached = huggingface_hub.try_to_load_from_cache(repository, CONFIG)
        if isinstance(cached, str):
            return Path(cached).parent
        raise ConnectionError(
            f'HF_HUB_OFFLINE is set, but the cache {constants.HF_HUB_CACHE} lacks {what}. Unset it, and run this '
            f'again with a network. {advice}')
    _check_answer(address, what, advice)
    try:
        size = huggingface_hub.get_hf_file_metadata(
            huggingface_hub.hf_hub_url(repository, CONFIG), timeout=_patience()).size or 0
    except Exception as error:
        raise _explain(error, file, what, advice) from error
    if size > MOST_OF_CONFIG:
        raise ValueError(f'{CONFIG} of {address} has {size:,} bytes, but at most {MOST_OF_CONFIG:,} are read. '
                         f'Do not use the model unless you know why.')
    try:
        return Path(huggingface_hub.snapshot_download(
            repository, allow_patterns=_list_wanted(repository, beside), etag_timeout=_patience()))
    except Exception as error:
        raise _explain(error, file, what, advice) from error


def _list_wanted(repository: str, beside: Sequence[str]) -> List[str]:
    """The files to download: of weights the safe ones if there are such."""
    names = huggingface_hub.list_repo_files(repository)
    config = Path(huggingface_hub.hf_hub_download(repository, CONFIG, etag_timeout=_patience()))
    if not explain_no_model(config.parent):
        return [name for name in names if is_published_file(name)]
    safe = [name for name in names if _SAFE.fullmatch(name)]
    return [*(safe or [name for name in names if _PICKLED.fullmatch(name)]), *beside]


def _patience() -> float:
    return float(os.environ.get('HF_HUB_ETAG_TIMEOUT') or _PATIENCE)


def _check_answer(address: str, what: str, advice: str) -> None:
    """Check that the hub answers at all: its client would wait long."""
    problem = what_is_wrong(address)
    if problem:
        raise ConnectionError(
            f'{what[0].upper()}{what[1:]} cannot be downloaded: {constants.ENDPOINT} {problem}. With a network, run '
            f'this again; HF_ENDPOINT names a mirror. {advice}')


def what_is_wrong(address: str) -> str:
    """Ask the hub for the headers of an address, and wait a few seconds.

    Args:
        address (str): The address.

    Returns:
        str: What went wrong, as the predicate of a sentence about the hub; empty if anything was answered.
    """
    patience = _patience()
    problems: List[str] = [f'does not answer within {patience:g} seconds (HF_HUB_ETAG_TIMEOUT changes this)']

    def ask() -> None:
        try:
            utils.get_session().head(address, timeout=patience)
            problems.append('')
        except Exception as error:
            if 'timeout' not in type(error).__name__.lower():
                problems.append(f'cannot be reached ({reason(error)})')

    # The name of a host may take longer to look up than any time limit of the request.
    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience + 0.3)
    return problems[-1]


def reason(error: BaseException) -> str:
    """What the system said, below all that the client's layers add.

    Args:
        error (BaseException): What the client raised.
    """
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


def _explain(error: Exception, file: HubFile, what: str, advice: str) -> OSError:
    if isinstance(error, errors.LocalEntryNotFoundError):
        return ConnectionError(f'The download of {what} failed: {reason(error)}. Run this again. {advice}')
    if isinstance(error, errors.GatedRepoError):
        return ConnectionError(
            f'{file.repository}, which has {what}, asks for an account. Accept its terms at '
            f'{constants.ENDPOINT}/{file.repository} and run `hf auth login`. {advice}')
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError)):
        return FileNotFoundError(
            f'{constants.ENDPOINT} has no file {file.file} in the repository {file.repository} at revision '
            f'{file.revision}, where {what} should be. If HF_ENDPOINT names a mirror, it may lack them. {advice}')
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(
            f'{describe(file)} cannot be written to the cache {constants.HF_HUB_CACHE}: {error.strerror}. See to that, '
            f'or name another folder by HF_HOME.')
    return ConnectionError(
        f'The download of {what} broke off ({reason(error)}). Run this again: it continues where it stopped. {advice}')
