"""How an image is to be turned upright: its EXIF orientation, read without anything else of its metadata.

Cameras store pixels as the sensor has them, and say in a tag how to turn them. The rest of EXIF is large, written by
many programs, and often broken, so nothing here reads it.
"""

import re
import struct
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
# Tags of a TIFF file that its pixels do not need, and that Pillow reads with them: names, dates, resolution, then XMP,
# copyright, IPTC, Photoshop's, EXIF, ICC profile, GPS and interoperability.
OTHER_METADATA = (269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34675,
                  34853, 40965)

TIFF_HEADERS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
EXIF_PREFIX = b'Exif\0\0'
# Types of numbers in TIFF, by their code.
INTEGERS = {1: 'B', 3: 'H', 4: 'I'}


class _Entry(NamedTuple):
    """An entry of a TIFF directory: its tag, its type's position in the block, and its value if it is one integer."""

    tag: int
    type_position: int
    value: Optional[int]


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image as its EXIF orientation says.

    Args:
        pixels (ndarray): ``(H, W, ...)``, as stored.
        orientation (int): 1 to 8, as EXIF numbers them; 1 is upright already.

    Returns:
        ndarray: ``(H, W, ...)``, or ``(W, H, ...)`` for an orientation of 5 to 8.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def turn_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an upright image or mask to how it is stored: the inverse of :func:`turn_upright`.

    Args:
        pixels (ndarray): ``(H, W, ...)``, upright.
        orientation (int): 1 to 8, as EXIF numbers them; 1 is stored upright.

    Returns:
        ndarray: ``(H, W, ...)``, or ``(W, H, ...)`` for an orientation of 5 to 8.
    """
    # The two quarter turns undo each other; all others undo themselves.
    return turn_upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def hide_metadata(content: bytes) -> Tuple[bytes, Dict[str, bytes]]:
    """Hide from Pillow the metadata that it would parse while it decodes an image file.

    Pillow reads the resolution out of a JPEG's EXIF, and turns a TIFF by its orientation. Where the metadata are
    broken, it warns or fails, although the pixels are whole.

    Args:
        content (bytes): An image file of any format.

    Returns:
        tuple[bytes, dict[str, bytes]]: The file as Pillow shall see it, and what is hidden in it, as
        :func:`read_orientation` takes it.
    """
    if content[:4] in TIFF_HEADERS:
        visible = bytearray(content)
        for entry in _directory(content):
            if entry.tag == ORIENTATION or entry.tag in OTHER_METADATA:
                # There is no type 0, and readers pass over entries of types that they do not know.
                visible[entry.type_position:entry.type_position + 2] = b'\0\0'
        return bytes(visible), dict(exif=content)
    if content[:2] == b'\xff\xd8':
        visible, blocks = bytearray(content), []
        for begin, end in _application_segments(content):
            if content[begin:end].startswith(EXIF_PREFIX):
                visible[begin:begin + len(EXIF_PREFIX)] = bytes(len(EXIF_PREFIX))
                blocks.append(content[begin + len(EXIF_PREFIX):end])
        return (bytes(visible), dict(exif=b''.join(blocks))) if blocks else (content, {})
    return content, {}


def read_orientation(metadata: Mapping[str, Any]) -> int:
    """Find the orientation in an image's metadata.

    Args:
        metadata (Mapping[str, Any]): As ``info`` of a Pillow image.

    Returns:
        int: 1 to 8, as EXIF numbers them. 1 where there is none, or it is broken.
    """
    for entry in _directory(_exif_block(metadata)):
        if entry.tag == ORIENTATION:
            return entry.value if entry.value in range(1, 9) else 1
    return _xmp_orientation(metadata.get('XML:com.adobe.xmp') or metadata.get('xmp'))


def picture_orientation(image: Image.Image) -> int:
    """Find the orientation that a Pillow image carries: that of its file, unless it was changed since.

    Args:
        image (Image): A loaded image.

    Returns:
        int: 1 to 8, as EXIF numbers them.
    """
    stored = read_orientation(image.info)
    try:
        carried = image.getexif().get(ORIENTATION, 1)
        if carried == stored:
            return stored
        read = Image.Exif()
        read.load(_exif_block(image.info))
        changed = carried != read.get(ORIENTATION, 1)
    except Exception:
        # Pillow's parser fails in many ways on broken metadata. It has then not been used to change them.
        return stored
    if not changed:
        return stored
    return carried if carried in range(1, 9) else 1


def _directory(block: bytes) -> Iterator[_Entry]:
    """The entries of the first directory of a TIFF structure, as far as it is whole."""
    order = {b'II': '<', b'MM': '>'}.get(block[:2])
    if order is None:
        return
    # BigTIFF is 43 where TIFF is 42, and has numbers of 8 bytes.
    big = 43 in block[2:4]
    offset, count, entry, value_at, length = ('Q', 'Q', 'HHQ', 12, 20) if big else ('I', 'H', 'HHI', 8, 12)
    try:
        begin, = struct.unpack_from(order + offset, block, 8 if big else 4)
        entries, = struct.unpack_from(order + count, block, begin)
        begin += struct.calcsize(order + count)
        for position in range(begin, begin + entries * length, length):
            tag, kind, number = struct.unpack_from(order + entry, block, position)
            value = None
            if number == 1 and kind in INTEGERS:
                value, = struct.unpack_from(order + INTEGERS[kind], block, position + value_at)
            yield _Entry(tag, position + 2, value)
    except (struct.error, OverflowError):
        # The block ends here, or its offsets point beyond it.
        return


def _application_segments(content: bytes) -> Iterator[Tuple[int, int]]:
    """Where APP1 segments of a JPEG, which hold EXIF or XMP, begin and end, without marker and length."""
    position = 2
    while len(content) >= position + 4 and content[position] == 0xff:
        marker = content[position + 1]
        if marker == 0xda:
            # The compressed pixels follow.
            return
        if marker in (0x00, 0xff):
            # A byte that only fills.
            position += 1
            continue
        end = position + 2 + int.from_bytes(content[position + 2:position + 4], 'big')
        if marker == 0xe1:
            yield position + 4, end
        position = end


def _exif_block(metadata: Mapping[str, Any]) -> bytes:
    """The TIFF structure of the EXIF; empty if there is none."""
    block = metadata.get('exif')
    if isinstance(block, bytes):
        while block.startswith(EXIF_PREFIX):
            block = block[len(EXIF_PREFIX):]
        return block
    # ImageMagick's form in PNG: a line of its name, one of its length, then hexadecimal digits.
    lines = str(metadata.get('Raw profile type exif', '')).split('\n')
    try:
        return bytes.fromhex(''.join(lines[3:])).removeprefix(EXIF_PREFIX)
    except ValueError:
        return b''


def _xmp_orientation(xmp: Optional[Union[bytes, str]]) -> int:
    if isinstance(xmp, str):
        xmp = xmp.encode('utf-8', 'replace')
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp) if isinstance(xmp, bytes) else None
    return int(found[1]) if found else 1
