"""Images as people have them: files, addresses of files, bytes, pictures and arrays."""

import os
import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from mmris.utils.text import shorten

from .decoding import decode_image, to_rgb
from .orientation import picture_orientation, turn_upright

if TYPE_CHECKING:
    from torch import Tensor

AnyImage = Union[str, os.PathLike, bytes, IO[bytes], Image.Image, np.ndarray]

# https://..., s3://..., of which Path leaves one slash; not C:/... of Windows.
URL = re.compile('[a-z][a-z0-9+.-]+:/', re.IGNORECASE)
ARRAYS = 'uint8 of shape (height, width, 3) RGB, (height, width, 4) RGBA, or (height, width) grey'


def read_image(image: AnyImage) -> np.ndarray:
    """Read an image as :meth:`~mmris.apis.Predictor.set_image` does.

    The same picture gives the same pixels in each form.

    Args:
        image (str, PathLike, bytes, binary file, Image or ndarray):

            - a path, the bytes of a file, or a file opened in binary mode, which is read from its start if it can
              seek, else from where it is. Turned upright by its EXIF orientation;
            - a PIL image. Turned upright if it still carries an EXIF orientation;
            - a uint8 array: ``(H0, W0, 3)`` RGB, ``(H0, W0, 4)`` RGBA, whose alpha is dropped, ``(H0, W0)`` or
              ``(H0, W0, 1)`` grey. Taken as upright.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB, which shares no memory with ``image``.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If the path is a folder.
        ValueError: If the path is empty or a URL, or the file object is closed or opened as text.
        ValueError: If a file cannot be decoded, or a PIL image not be brought to RGB (see
            :func:`decode_image`).
        ValueError: If an array is of another shape or dtype, there is no pixel, or ``image`` is something else.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        pixels = decode_image(bytes(image), f'The image ({len(image):,} bytes)', upright=True)
    elif isinstance(image, Image.Image):
        pixels = _read_picture(image)
    elif isinstance(image, np.ndarray):
        pixels = _read_array(image)
    elif isinstance(image, (str, os.PathLike)):
        path = find_image(image)
        pixels = decode_image(path.read_bytes(), str(path), upright=True)
    elif hasattr(image, 'read'):
        pixels = _read_file_object(image)
    else:
        raise ValueError(_describe_other(image))
    if pixels.size == 0:
        raise ValueError(f'An image has at least one pixel, but got {pixels.shape[0]} x {pixels.shape[1]} (height x '
                         f'width): look at how it was read or cropped.')
    return pixels


def check_instance_masks(masks: Optional[np.ndarray], size: Tuple[int, int]) -> np.ndarray:
    """Bring instance masks to the form that pipelines have.

    Args:
        masks (ndarray, optional): ``(K, H0, W0)`` bool or uint8, not 0 inside of an instance. None: nothing was found.
        size (tuple[int, int]): Height and width of the image in pixels.

    Returns:
        ndarray: ``(K, H0, W0)`` uint8 of 0 and 1.

    Raises:
        ValueError: If they are not of that form or size.
    """
    if masks is None:
        return np.zeros((0, *size), dtype=np.uint8)
    if not (isinstance(masks, np.ndarray) and masks.ndim == 3 and masks.dtype in (bool, np.uint8)):
        got = f'{masks.dtype} of shape {masks.shape}' if isinstance(masks, np.ndarray) else type(masks).__name__
        raise ValueError(f'Instance masks are a (number, height, width) bool or uint8 array, but got {got}.')
    if masks.shape[1:] != size:
        raise ValueError(
            f'Instance masks are {masks.shape[1]} x {masks.shape[2]} pixels (height x width), but their image is '
            f'{size[0]} x {size[1]}: masks are on the original pixels of the upright image.')
    return (masks != 0).astype(np.uint8)


def find_image(image: Union[str, os.PathLike]) -> Path:
    """Find an image file.

    Args:
        image (str or PathLike): Its path.

    Returns:
        Path: The path of a file that is there.

    Raises:
        FileNotFoundError, IsADirectoryError, ValueError: See :func:`read_image`.
    """
    name = os.fsdecode(image)
    if not name:
        raise ValueError('The path of the image is empty: name a file.')
    path = Path(name)
    try:
        if path.is_file():
            return path
        is_folder = path.is_dir()
    except OSError:
        # The name is longer than any file's.
        is_folder = False
    if name.startswith('data:') or URL.match(name):
        raise ValueError(f'{shorten(name)} is a URL, but images are read from files: download it first, then give its '
                         f'path or its bytes.')
    if is_folder:
        raise IsADirectoryError(f'{name} is a folder: name an image file in it.')
    raise FileNotFoundError(f'There is no image {name if len(name) < 300 else shorten(name)}.')


def _read_picture(image: Image.Image) -> np.ndarray:
    try:
        image.load()
    except Exception as error:
        # It may still be on the disk; Pillow's readers raise whatever their parsing of broken bytes runs into.
        raise ValueError(f'The PIL image cannot be read ({error}).') from error
    return turn_upright(to_rgb(image, 'The PIL image'), picture_orientation(image))


def _read_file_object(file: IO[bytes]) -> np.ndarray:
    name = getattr(file, 'name', None)
    name = name if isinstance(name, str) and name else 'The image'
    if getattr(file, 'closed', False):
        raise ValueError(f'{name} is a closed file: open it again, or give its path.')
    if getattr(file, 'seekable', lambda: False)():
        file.seek(0)
    content = file.read()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise ValueError(f'{name} gives {type(content).__name__} instead of bytes: open it with mode \'rb\'.')
    return decode_image(bytes(content), name, upright=True)


def _read_array(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or not _is_image_shape(image.shape):
        problem = f'The image is an array of {image.dtype} of shape {image.shape}, but must be {ARRAYS}.'
        raise ValueError(' '.join(filter(None, (problem, _advise_shape(image.shape), _advise_values(image)))))
    channels = image[..., None] if image.ndim == 2 else image[..., :3]
    return np.array(np.broadcast_to(channels, (*image.shape[:2], 3)), order='C')


def _is_image_shape(shape: Sequence[int]) -> bool:
    return len(shape) == 2 or len(shape) == 3 and shape[2] in (1, 3, 4)


def _advise_shape(shape: Sequence[int]) -> str:
    """What to do with an array of that shape."""
    if len(shape) == 4:
        return 'Give one image at a time.'
    if len(shape) == 3 and not _is_image_shape(shape) and shape[0] in (1, 3, 4):
        return 'Its channels come first: give image.transpose(1, 2, 0).'
    return ''


def _advise_values(image: np.ndarray) -> str:
    """What to do with an array of that dtype."""
    kind = image.dtype.kind
    if image.dtype == np.uint8 or kind not in 'fiub':
        return ''
    if kind == 'b':
        return 'Give image.astype(np.uint8) * 255.'
    if image.dtype == np.uint16:
        return 'If 65535 is white, give (image / 257).round().astype(np.uint8).'
    if kind == 'f' and _lies_within(image, 1):
        return 'If 1 is white, give (image * 255).round().astype(np.uint8).'
    if _lies_within(image, 255):
        return f'If 255 is white, give {"image.round()" if kind == "f" else "image"}.astype(np.uint8).'
    return 'Bring its values to 0 to 255, where 255 is white, then give image.round().astype(np.uint8).'


def _lies_within(image: np.ndarray, white: int) -> bool:
    return image.size > 0 and image.min() >= 0 and image.max() <= white


def _describe_other(image: Any) -> str:
    if image is None:
        return ('The image is None. If a reader such as cv2.imread returned it, the file is missing or broken: check '
                'its path.')
    if _is_tensor(image):
        return (f'The image is a torch tensor of {image.dtype} of shape {tuple(image.shape)}, but must be a NumPy '
                f'array: {_convert(image)}')
    return (f'The image is of type {type(image).__name__}, but must be a file (its path, its bytes, or a binary file '
            f'object), a PIL image, or an array, {ARRAYS}.')


def _is_tensor(image: Any) -> bool:
    # Whoever has a tensor has imported torch.
    torch = sys.modules.get('torch')
    return torch is not None and isinstance(image, torch.Tensor)


def _convert(image: 'Tensor') -> str:
    """How a tensor becomes an array that is an image."""
    if image.dim() == 4:
        return 'give one image at a time.'
    channels_first = image.dim() == 3 and not _is_image_shape(image.shape)
    steps = '.permute(1, 2, 0)' if channels_first else ''
    if image.is_floating_point():
        return f'give image{steps}.mul(255).round().byte().cpu().numpy() if 1 is white.'
    return f'give image{steps}.byte().cpu().numpy().'
