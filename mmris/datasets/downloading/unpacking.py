"""Zip archives, of which the wanted files are unpacked, each whole or not at all, and nothing outside of a folder."""

import os
import stat
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Callable, Dict, Iterator, List, Optional

from tqdm import tqdm

from mmris.utils.sizes import in_words

from .disk_space import check_space, explain_write_error
from .part import lock, unlike

_BLOCK = 2**20
_ENCRYPTED = 1


def unpack(archive: Path, folder: Path, wants: Callable[[str], bool], *, say: Callable[[str], None]) -> List[str]:
    """Unpack files of a zip archive into one folder, without the folders that they have in the archive.

    Files that are there are kept if they are the archive's (images: if they have its size). One that is a beginning of
    the archive's file was cut, and is replaced. A run that was killed leaves no file that is not whole.

    Args:
        archive (Path): The archive.
        folder (Path): Where the files go. It is made.
        wants (Callable): Gets a name without folders. Whether to unpack the file.
        say (Callable): Gets lines about what happens.

    Returns:
        list[str]: Names of the wanted files in the archive.

    Raises:
        ValueError: If it is no zip archive, or a truncated one; if a member would lie outside of the folder, is a link
            or encrypted; if two wanted files have one name; if a member is damaged.
        FileExistsError: If the folder has another file of a name in the archive.
        OSError: If there is too little space, or the disk gets full.
        BlockingIOError: If another process is unpacking it.
    """
    with _open(archive) as opened:
        members = _choose(opened, archive, wants)
        new = {name: one for name, one in members.items() if not _is_there(opened, one, folder / name, archive, say)}
        if len(new) < len(members):
            say(f'{folder}: {len(members) - len(new):,} of {len(members):,} files of {archive.name} are there already')
        space = sum(member.file_size for member in new.values())
        check_space([(folder, space, f'the files of {archive.name}')])
        if new:
            say(f'{archive}: unpacking {len(new):,} files ({in_words(space)}) to {folder}')
        for name, member in tqdm(new.items(), desc=archive.name, unit=' files', disable=None):
            _write(opened, member, folder / name, archive)
    return sorted(members)


@contextmanager
def _open(archive: Path) -> Iterator[zipfile.ZipFile]:
    with open(archive, 'rb') as file:
        lock(file, archive)
        what = unlike(os.pread(file.fileno(), 512, 0), is_archive=True)
        if what is not None:
            raise ValueError(f'{archive} should be a zip archive, but it is {what}. {_again(archive)}')
        try:
            opened = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ValueError(
                f'{archive} is a truncated zip archive: it has {archive.stat().st_size:,} bytes, and its list of '
                f'files, which stands at the end, is missing or damaged ({error}). {_again(archive)}') from error
        with opened:
            yield opened


def _again(archive: Path) -> str:
    return f'Remove {archive} and run the same command again: it is then downloaded.'


def _choose(opened: zipfile.ZipFile, archive: Path, wants: Callable[[str], bool]) -> Dict[str, zipfile.ZipInfo]:
    """The wanted members by name. All members are looked at: one that is malicious condemns the archive."""
    chosen: Dict[str, zipfile.ZipInfo] = {}
    for member in opened.infolist():
        path = PurePosixPath(member.filename.replace('\\', '/'))
        what = _fault(member, path)
        if what is not None:
            raise ValueError(f'{archive} is refused, and nothing of it was unpacked: its member {member.filename!r} '
                             f'{what}. Take the archive from another source.')
        if member.is_dir() or '__MACOSX' in path.parts or not wants(path.name):
            continue
        if path.name in chosen:
            raise ValueError(f'{archive} has two files {path.name}: {chosen[path.name].filename} and '
                             f'{member.filename}. Take the archive from another source.')
        chosen[path.name] = member
    return chosen


def _fault(member: zipfile.ZipInfo, path: PurePosixPath) -> Optional[str]:
    if path.is_absolute() or '..' in path.parts or path.parts[:1] and path.parts[0].endswith(':'):
        return 'would be written outside of the folder'
    if stat.S_ISLNK(member.external_attr >> 16):
        return 'is a link'
    return 'is encrypted' if member.flag_bits & _ENCRYPTED else None


def _is_there(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, archive: Path,
              say: Callable[[str], None]) -> bool:
    if not target.exists():
        return False
    size = target.stat().st_size
    # Many gigabytes of images are not read again.
    if size == member.file_size and target.suffix.lower() == '.jpg':
        return True
    if size <= member.file_size and _is_beginning(opened, member, target, archive):
        if size < member.file_size:
            say(f'{target} is truncated ({size:,} of {member.file_size:,} bytes), and is replaced')
        return size == member.file_size
    raise FileExistsError(
        f'{target} ({size:,} bytes) is another file than the one in {archive} ({member.file_size:,} bytes). Move it '
        f'away if you want that of the archive, and run the same command again.')


def _is_beginning(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, archive: Path) -> bool:
    with open(target, 'rb') as there, _reading(opened, member, archive) as read:
        while True:
            block = there.read(_BLOCK)
            if not block:
                return True
            if read(len(block)) != block:
                return False


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, archive: Path) -> None:
    """Write one file beside its place and rename it. Its name there is fixed: a killed run leaves no more than one."""
    temporary = target.with_name(f'.{target.name}.part')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, 'wb') as file, _reading(opened, member, archive) as read:
            _copy(read, file, temporary)
        os.replace(temporary, target)
    except OSError as error:
        # Of a file that could not be closed, too.
        raise error if error.strerror is None else explain_write_error(error, target, _REMEDY) from error
    finally:
        temporary.unlink(missing_ok=True)


_REMEDY = 'The files before it are whole. See to that, and run the same command again: it unpacks the others.'


def _copy(read: Callable[[int], bytes], file: IO[bytes], path: Path) -> None:
    while True:
        block = read(_BLOCK)
        if not block:
            return
        file.write(block)


@contextmanager
def _reading(opened: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path) -> Iterator[Callable[[int], bytes]]:
    """A function that reads on in a member, and checks its sum at the end."""

    def damaged(error: Exception) -> ValueError:
        return ValueError(f'{archive} is damaged: {member.filename} cannot be unpacked ({error}). {_again(archive)}')

    try:
        file = opened.open(member)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise damaged(error) from error

    def read(size: int) -> bytes:
        try:
            return file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise damaged(error) from error

    with file:
        yield read
