"""A published folder onto the Hugging Face hub, in one commit."""

import tempfile
from pathlib import Path
from typing import List, Optional

import huggingface_hub
from huggingface_hub import constants, errors

from mmris.zoo.hub import reason, what_is_wrong

from .folder import CARD, CONFIG, LIBRARY, MOST_OF_CONFIG, explain_no_model, is_published_file

# What the hub itself puts into a repository.
_OF_THE_HUB = ('.gitattributes', CARD)


def check_repository(repository: str, *, private: bool = False) -> None:
    """Check that a model can be uploaded to a repository, before the work of making it.

    Args:
        repository (str): ``'user/name'``, which need not be there yet.
        private (bool): Whether nobody else is to see it. Default: False.

    Raises:
        ConnectionError: If the hub cannot be reached or does not answer, or ``HF_HUB_OFFLINE`` is set.
        PermissionError: If there is no token, or it is not accepted.
        FileExistsError: If the repository is there, and holds anything but a published model.
        ValueError: If it is there and public, and is to be private.
    """
    advice = 'Give a folder instead of the repository to write the model here.'
    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(f'HF_HUB_OFFLINE is set, so that nothing can be uploaded to {repository}. Unset it. '
                              f'{advice}')
    if not huggingface_hub.get_token():
        raise PermissionError(
            f'There is no token for {constants.ENDPOINT}, which uploading to {repository} needs. Make one that may '
            f'write at {constants.ENDPOINT}/settings/tokens, and run `hf auth login` or set HF_TOKEN. {advice}')
    problem = what_is_wrong(f'{constants.ENDPOINT}/api/models/{repository}')
    if problem:
        raise ConnectionError(f'{repository} cannot be uploaded: {constants.ENDPOINT} {problem}. With a network, run '
                              f'this again; HF_ENDPOINT names a mirror. {advice}')
    try:
        found = huggingface_hub.HfApi().model_info(repository)
    except errors.RepositoryNotFoundError:
        # The hub says so too of a repository that the token must not see; making it then fails.
        return
    except Exception as error:
        raise explain_upload(error, repository, uploading=False) from error
    if private and not found.private:
        raise ValueError(f'{constants.ENDPOINT}/{repository} is public, but --private was given. Make it private in '
                         f'its settings first, or name another repository.')
    _check_content(repository, [file.rfilename for file in found.siblings or ()])


def _check_content(repository: str, names: List[str]) -> None:
    foreign = [name for name in names if name not in _OF_THE_HUB and not is_published_file(name)]
    if not foreign and CONFIG in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = huggingface_hub.hf_hub_download(repository, CONFIG, local_dir=folder)
            except Exception as error:
                raise explain_upload(error, repository, uploading=False) from error
            is_ours = Path(path).stat().st_size <= MOST_OF_CONFIG and not explain_no_model(Path(folder))
        foreign = [] if is_ours else [CONFIG]
    elif not foreign:
        # Weights without a config are somebody else's.
        foreign = [name for name in names if is_published_file(name)]
    if foreign:
        raise FileExistsError(
            f'{constants.ENDPOINT}/{repository} holds something else than a published model of {LIBRARY}: it has '
            f'{foreign[0]}. Name another repository.')


def upload(folder: Path, repository: str, *, message: str, private: bool = False) -> str:
    """Upload a published folder, in one commit: the repository has all of it or none.

    Args:
        folder (Path): The folder.
        repository (str): ``'user/name'``, which is made if it is not there. :func:`check_repository` has passed.
        message (str): Of the commit.
        private (bool): Whether nobody else is to see a repository that is made. Default: False.

    Returns:
        str: The model's address.

    Raises:
        ConnectionError: If the upload breaks off.
        PermissionError: If the token is not accepted, or must not write there.
        ValueError: If the hub refuses the content.
    """
    new = {path.name for path in folder.iterdir()}
    api = huggingface_hub.HfApi()
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise ValueError(f'{constants.ENDPOINT}/{repository} is public, though it was to be private. Nothing was '
                             f'uploaded.')
        old = [name for name in api.list_repo_files(repository) if is_published_file(name) and name not in new]
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message=message,
                          delete_patterns=old or None)
    except Exception as error:
        raise explain_upload(error, repository, uploading=True) from error
    return f'{constants.ENDPOINT}/{repository}'


def explain_upload(error: Exception, repository: str, *, uploading: bool) -> Exception:
    """Make an error of the hub's client one that says what to do.

    Args:
        error (Exception): What the client raised.
        repository (str): Where it was to upload to.
        uploading (bool): Whether the upload had begun. If not, the repository was only looked at.

    Returns:
        Exception: The error to raise.
    """
    status = _status(error)
    if status in (401, 403):
        return PermissionError(
            f'{constants.ENDPOINT} does not let this token write to {repository} ({status}). Make one with the right '
            f'to write at {constants.ENDPOINT}/settings/tokens, run `hf auth login`, and check that {repository} is of '
            f'your account or organisation.')
    if isinstance(error, errors.HFValidationError):
        return ValueError(f'{repository!r} is not the name of a repository: {error}')
    if isinstance(error, ValueError) and status is None:
        return error
    if status is not None and status < 500:
        return ValueError(f'{constants.ENDPOINT} refused {repository} ({status}): {error}')
    address = f'{constants.ENDPOINT}/{repository}'
    if not uploading:
        return ConnectionError(f'{address} cannot be checked before the upload ({reason(error)}). Nothing was '
                               f'uploaded. Run this again.')
    # The hub may have made the commit though its answer was lost.
    return ConnectionError(f'The upload to {repository} broke off ({reason(error)}). No file was changed unless the '
                           f'hub finished the commit: look at {address}, then run this again.')


def _status(error: Exception) -> Optional[int]:
    response = getattr(error, 'response', None)
    return getattr(response, 'status_code', None)
