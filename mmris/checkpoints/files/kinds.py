"""What a file is, by its content: names of weight files are not to be relied on."""

import zipfile
from enum import Enum
from pathlib import Path

from mmris.utils.file_content import START, name_content


class UnreadableCheckpointError(ValueError):
    """A checkpoint file that is torn, of another format, or holds more than tensors and training state."""


class FileKind(Enum):
    """Formats of weights that are read."""
    SAFETENSORS = 'safetensors'
    TORCH = 'a file of torch.save'
    OLD_TORCH = 'a file of torch.save before PyTorch 1.6, or in its old format'
    TORCHSCRIPT = 'a TorchScript archive'
    INDEX = 'an index of weights in several files'


_ZIP = b'PK\x03\x04'
_PICKLE = b'\x80'


def identify(local: Path, name: str) -> FileKind:
    """Find out which format of weights a file has.

    Args:
        local (Path): The file.
        name (str): What to call it in messages.

    Returns:
        FileKind: Its format.

    Raises:
        UnreadableCheckpointError: If it has none of them, or is truncated; the message says what it is instead.
    """
    with local.open('rb') as file:
        start = file.read(START)
    size = local.stat().st_size
    if not start:
        raise unreadable(name, 'it is empty')
    if start.startswith(_ZIP):
        return _identify_archive(local, name)
    # safetensors: eight bytes that tell the length of a header of JSON, of which text has no zeros, then that.
    if start[6:9] == b'\0\0{':
        if 8 + int.from_bytes(start[:8], 'little') > size:
            raise unreadable(name, 'it is truncated, a safetensors file that ends within its header: fetch it again')
        return FileKind.SAFETENSORS
    if start.startswith(_PICKLE):
        return FileKind.OLD_TORCH
    what = name_content(start)
    if what is None and start.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(b'{'):
        if name.endswith('.index.json'):
            return FileKind.INDEX
        what = 'JSON text'
    if what is not None:
        raise unreadable(name, f'it is {what}')
    raise unreadable(name, 'it is no file of torch.save, no TorchScript archive and no safetensors file')


def _identify_archive(local: Path, name: str) -> FileKind:
    try:
        with zipfile.ZipFile(local) as archive:
            records = {record.partition('/')[2] for record in archive.namelist()}
            arrays = any(record.endswith('.npy') for record in archive.namelist())
            # torch writes numbers as they are. Otherwise they could unfold into more than the file is large.
            stored = [record for record in archive.infolist() if record.compress_type == zipfile.ZIP_STORED]
            folded = 'constants.pkl' not in records and len(stored) < len(archive.infolist())
            if 'data.pkl' in records and (folded or sum(one.file_size for one in stored) > local.stat().st_size):
                raise unreadable(name, 'its records are compressed or overlap, which torch does not write')
            damaged = archive.testzip() if 'data.pkl' in records else None
    except UnreadableCheckpointError:
        raise
    except Exception as error:
        # Python's reader raises whatever its parsing of broken bytes runs into: wrong text, numbers, kinds of packing.
        raise unreadable(name, f'it is truncated or damaged ({error}): fetch it again') from error
    if 'data.pkl' not in records:
        raise unreadable(name, f'it is a {"NumPy" if arrays else "zip"} archive that torch did not write')
    if damaged is not None:
        # torch does not look at the sums that it writes.
        raise UnreadableCheckpointError(f'{name} is damaged: the sum of {damaged} in it is not the one written.')
    return FileKind.TORCHSCRIPT if 'constants.pkl' in records else FileKind.TORCH


def unreadable(name: str, reason: str) -> UnreadableCheckpointError:
    """An error for a file that holds no weights that can be read."""
    return UnreadableCheckpointError(f'{name} cannot be read as a checkpoint: {reason}.')
