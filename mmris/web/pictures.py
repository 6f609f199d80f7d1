"""Pictures that strangers upload."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmris.images import decode_image
from mmris.images.orientation import hide_metadata

from .limits import Limits

# No reader that starts another program (EPS), and none that nobody's camera or browser writes.
FORMATS = ('AVIF', 'BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')


def read_picture(content: bytes, name: str, limits: Limits) -> np.ndarray:
    """Decode a picture, after a look at its size.

    Args:
        content (bytes): An image file of one of :data:`FORMATS`.
        name (str): The file's name, for the message of an error.
        limits (Limits): How large it may be.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB, turned upright by its EXIF orientation.

    Raises:
        ValueError: If it has more bytes or pixels than ``limits``. Nothing is decoded then.
        ValueError: If it is of another format.
        ValueError: If it cannot be decoded (see :func:`mmris.images.decode_image`).
    """
    if len(content) > limits.file_bytes:
        raise ValueError(f'{name} has {len(content) / 2**20:.3g} MB, but a picture may have '
                         f'{limits.describe_picture()}: make it smaller.')
    width, height = _read_size(content, name)
    if width * height > limits.pixels:
        raise ValueError(f'{name} has {width} x {height} pixels (width x height), {width * height / 1e6:.3g} million, '
                         f'but a picture may have {limits.describe_picture()}: make it smaller.')
    return decode_image(content, name, upright=True)


def _read_size(content: bytes, name: str) -> tuple[int, int]:
    """Width and height as the header says."""
    if not content:
        raise ValueError(f'{name} is empty. Choose another file.')
    visible, _ = hide_metadata(content)
    # An older Pillow has no AVIF.
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    try:
        with Image.open(io.BytesIO(visible), formats=formats) as image:
            return image.size
    except UnidentifiedImageError as error:
        raise ValueError(f'{name} is no picture of a format that this page reads ({", ".join(formats)}): convert it to '
                         f'JPEG or PNG.') from error
    except Image.DecompressionBombError as error:
        raise ValueError(f'{name} has more pixels than any picture here: make it smaller.') from error
    except Exception as error:
        # Pillow's readers raise whatever their parsing of broken bytes runs into.
        raise ValueError(f'{name} is not a whole image file ({error}). Choose another file.') from error
