"""From the bytes of image files to pixels."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from .orientation import hide_metadata, read_orientation, turn_upright

REFUSED_MODES = ('I', 'F', 'La')
"""Modes of Pillow of which no RGB is made: nothing says which value is white, or Pillow has no conversion (``La``)."""


# Formats of Pillow of which the pixels come from another program (Ghostscript, Windows), or from a file inside that may
# be of one of them.
_DRAWN_BY_PROGRAMS = ('EPS', 'IPTC', 'WMF')


# Pixels. A larger image is brought to RGB in strips of as many: in one piece, the largest take twice the memory.
_STRIP = 2**24


def check_no_program(image: Image.Image, name: str) -> None:
    """Check that a picture that Pillow has opened can be read without another program, before it is.

    Args:
        image (Image): The picture.
        name (str): What the message of an error calls it.

    Raises:
        ValueError: If it cannot: Ghostscript would run what an EPS file says.
    """
    if image.format in _DRAWN_BY_PROGRAMS:
        raise ValueError(f'{name} is a file of the format {image.format}, which other programs draw, and which is not '
                         f'read: convert it to JPEG or PNG.')


def decode_image(content: bytes, name: str, upright: bool) -> np.ndarray:
    """Decode an image file.

    Args:
        content (bytes): The file's content.
        name (str): The file's name, for the message of an error.
        upright (bool): Turn the image as its EXIF orientation says. Annotations of COCO belong to the stored pixels,
            so data sets do not; people's photographs want it.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB.

    Raises:
        ValueError: If it is empty, or of no image format that Pillow reads.
        ValueError: If another program would have to draw it (see :func:`check_no_program`).
        ValueError: If it is truncated or broken. Broken metadata are no error: they are not read, but for the
            orientation, without which the pixels stay as stored.
        ValueError: If it has more pixels than Pillow decodes, twice ``Image.MAX_IMAGE_PIXELS``.
        ValueError: If its pixels cannot be brought to RGB (see :func:`to_rgb`).
    """
    if not content:
        raise ValueError(f'{name} is empty. Fetch it again.')
    visible, hidden = hide_metadata(bytes(content))
    try:
        image = Image.open(io.BytesIO(visible))
        if image.format not in _DRAWN_BY_PROGRAMS:
            image.load()
    except UnidentifiedImageError as error:
        raise ValueError(f'{name} is of no image format that Pillow reads: convert it to JPEG or PNG, or fetch it '
                         f'again if it should be one.') from error
    except Image.DecompressionBombError as error:
        raise ValueError(f'{name} has more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels: make it '
                         f'smaller.') from error
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's readers raise whatever their parsing of broken bytes runs into.
        raise ValueError(f'{name} is not a whole image file ({error}). Fetch it again.') from error
    check_no_program(image, name)
    pixels = to_rgb(image, name)
    return turn_upright(pixels, read_orientation({**image.info, **hidden})) if upright else pixels


def to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """Bring a picture of Pillow's to 8 bits of RGB.

    Grey of 16 bits, which Pillow tells as a mode ``I;16...``, is scaled: 65535 is white. That is what PNG and TIFF
    files of it have; those of 16-bit colours Pillow itself brings to 8 bits.

    Args:
        image (Image): The picture.
        name (str): What the message of an error calls it.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB.

    Raises:
        ValueError: If its mode is one of :data:`REFUSED_MODES`.
    """
    if image.mode.startswith('I;16'):
        # In place: each copy of the largest images takes 700 MB.
        grey = np.asarray(image).astype(np.uint32)
        grey += 128
        grey //= 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in REFUSED_MODES:
        raise ValueError(f'{name} has the mode {image.mode!r} of Pillow, which cannot be brought to RGB without '
                         f'guessing: convert it to 8 bits, grey or RGB.')
    rows = _STRIP // max(1, image.width)
    if image.height <= rows:
        # An array of its own: what NumPy would share with Pillow cannot be written to.
        return np.array(image if image.mode == 'RGB' else image.convert('RGB'))
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, max(1, rows)):
        bottom = min(top + max(1, rows), image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert('RGB'))
    return pixels
