"""What a file is, by its first bytes: names of downloads are not to be relied on."""

from typing import Optional

# How many bytes tell.
START = 512

# What lies under the names of data and weights now and then, by its first bytes, and what to do.
_BEGINNINGS = (
    (b'version https://git-lfs', 'a Git LFS pointer, not the file that it stands for: fetch that with "git lfs pull"'),
    (b'<!doctype html', 'an HTML page: the download gave a page instead of the file'),
    (b'<html', 'an HTML page: the download gave a page instead of the file'),
    (b'<?xml', 'an XML document: the download gave an error message instead of the file'),
    (b'\x1f\x8b', 'compressed with gzip: unpack it first'),
    (b'bzh', 'compressed with bzip2: unpack it first'),
    (b'\xfd7zxz\0', 'compressed with xz: unpack it first'),
    (b'\x28\xb5\x2f\xfd', 'compressed with Zstandard: unpack it first'),
    (b'7z\xbc\xaf\x27\x1c', 'a 7z archive: unpack it first'),
    (b'rar!', 'a RAR archive: unpack it first'),
    (b'\x89hdf', 'an HDF5 file'),
    (b'\x93numpy', 'a NumPy array'),
    (b'par1', 'a Parquet file'),
    (b'arrow1', 'an Arrow file'),
    (b'sqlite format 3', 'an SQLite database'),
    (b'\x89png', 'a PNG image'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'%pdf', 'a PDF document'),
)
_TAR = slice(257, 262)


def name_content(start: bytes) -> Optional[str]:
    """Name a format in which neither annotations nor weights are read.

    Args:
        start (bytes): The first :data:`START` bytes of a file.

    Returns:
        str, optional: What the file is, and what to do if that is known, to follow "it is". None for any other format.
    """
    text = start.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    for beginning, what in _BEGINNINGS:
        if text.startswith(beginning):
            return what
    return 'a tar archive: unpack it first' if start[_TAR] == b'ustar' else None
