"""Whole data sets: what is missing is downloaded and unpacked into the layout of ``docs/data.md``."""

import os
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from mmris.utils.sizes import in_words

from .disk_space import check_space
from .part import read_source, source_path
from .table import DataSet, RemoteFile
from .transfer import PATIENCE, Patience, download, find_unreachable
from .unpacking import unpack


def fetch_sets(sets: Sequence[DataSet], root: Path, *, keep_archives: bool = False, patience: Patience = PATIENCE,
               say: Callable[[str], None] = print) -> None:
    """Bring data sets below a folder, except for files that are there.

    Archives and files that a user put into ``root`` are used. Interrupted at any point, another call continues.

    Args:
        sets (Sequence[DataSet]): What to fetch.
        root (Path): The folder of all data, such as ``data``. It is made.
        keep_archives (bool): Whether archives stay after they are unpacked. A user's own always do. Default: False.
        patience (Patience): How long to wait for servers.
        say (Callable): Gets lines about what happens. Default: ``print``.

    Raises:
        ConnectionError: If a server cannot be reached, within about 5 seconds; the message lists all that is missing,
            from where, and to where, to fetch it by hand. Or if a download breaks off again and again.
        FileNotFoundError: If a server has no such file, or an archive lacks files of the set.
        ValueError: If what came is no such file, or an archive is truncated, damaged or malicious.
        FileExistsError: If another file is where one should go.
        OSError: If the disk has too little space or gets full.
        BlockingIOError: If another process is doing the same.
    """
    root = root.absolute()
    _check_servers(sets, root, patience)
    for one in sets:
        if one.is_complete(root):
            say(f'{root / one.folder}: all files of {one.name} are there already')
            # A run may have been killed after it unpacked all.
            for archive in (root / source.path for source in one.sources if source.is_archive):
                if _is_ours(archive):
                    _tidy(archive, keep_archives)
            continue
        for source in one.missing_sources(root):
            _download(source, one, root, patience, say)
        for source in one.sources:
            if source.is_archive:
                _unpack(source, one, root, keep_archives, say)


def _check_servers(sets: Sequence[DataSet], root: Path, patience: Patience) -> None:
    missing = [(source, one) for one in sets for source in one.missing_sources(root)]
    problems = find_unreachable((source.address for source, _ in missing), patience)
    if not problems:
        return
    lost = [(source, one) for source, one in missing if urlsplit(source.address).netloc in problems]
    count = 'This file is' if len(lost) == 1 else f'These {len(lost)} files are'
    lines = [f'{server} {problem}.' for server, problem in problems.items()]
    lines += [f'{count} missing. With a network, run the same command again. Or download by hand, on any machine:']
    for source, one in lost:
        lines += _describe(source, one, root)
    raise ConnectionError('\n'.join([*lines, 'Then run the same command again: it uses the files.']))


def _describe(source: RemoteFile, one: DataSet, root: Path) -> List[str]:
    lines = [f'  {source.name} ({in_words(source.size or _noted_size(root / source.path))})',
             f'    from {source.address}', f'    to   {root / source.path}']
    if source.is_archive:
        what = ', '.join(one.files) if one.files else f'the {one.image_count:,} images'
        lines.append(f'    or, unpacked, {what} to {root / one.folder}')
    return lines


def _noted_size(target: Path) -> Optional[int]:
    noted = read_source(target)
    return noted and noted.length


def _download(source: RemoteFile, one: DataSet, root: Path, patience: Patience, say: Callable[[str], None]) -> None:
    target = root / source.path

    def check_room(coming: int) -> None:
        there = target.with_name(f'{target.name}.part').stat().st_size
        needs: List[Tuple[Path, int, str]] = [(target.parent, coming, f'the rest of {source.name}' if there else
                                               source.name)]
        if source.is_archive:
            # Its list of files comes last. Unpacked, they take at least as much.
            needs.append((root / one.folder, there + coming, 'the files in it, at least'))
        check_space(needs)

    say(f'{source.name}: downloading from {source.address}')
    download(source, target, patience=patience, check_room=check_room, say=say)
    if not source.is_archive:
        source_path(target).unlink(missing_ok=True)


def _unpack(source: RemoteFile, one: DataSet, root: Path, keep: bool, say: Callable[[str], None]) -> None:
    archive, folder = root / source.path, root / one.folder
    names = unpack(archive, folder, one.wants, say=say)
    lacking = [name for name in one.files if name not in {*names, *one.present(root)}]
    if lacking or not names:
        raise FileNotFoundError(
            f'{archive} lacks {", ".join(lacking) or "images"}; what else it has of {one.name} is in {folder}. Take '
            f'the archive from {source.address}, or put what it lacks there.')
    # Thousands of files: they are on the disk together, before the archive goes.
    os.sync()
    if not _is_ours(archive):
        say(f'{archive} is no longer needed. It stays, since this command did not download it.')
    else:
        _tidy(archive, keep)


def _tidy(archive: Path, keep: bool) -> None:
    """Remove an archive that was unpacked. One that is kept becomes the user's."""
    if not keep:
        archive.unlink()
    source_path(archive).unlink()


def _is_ours(archive: Path) -> bool:
    """Whether this command downloaded an archive: it leaves a note then, until the archive is unpacked."""
    noted = read_source(archive)
    # Beside a part, the archive is a user's, who did not wait for the download.
    is_pending = archive.with_name(f'{archive.name}.part').exists()
    return archive.is_file() and noted is not None and not is_pending and noted.length in (None, archive.stat().st_size)
