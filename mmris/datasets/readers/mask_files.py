"""Mask images: which pixels of a picture of 0/1, 0/255 or instance ids are the object."""

from dataclasses import dataclass
from functools import cached_property
from typing import Optional

import numpy as np
from PIL import Image

from mmris.images.decoding import check_no_program

MASK_VALUES = ('binary', 'instances')
"""What mask images may hold: 0 and anything else; or in each pixel the id of its object."""


@dataclass(frozen=True, eq=False)
class MaskImage:
    """A mask image.

    Attributes:
        path (str): The file.
        pixels (ndarray): ``(H, W)`` of whole numbers, as they are stored.
    """

    path: str
    pixels: np.ndarray

    @cached_property
    def values(self) -> np.ndarray:
        """ndarray: The numbers in it, each once, sorted."""
        return np.unique(self.pixels)


def read_mask_image(path: str, where: str) -> MaskImage:
    """Read the values of a mask image as they are stored: of a palette the indices, not the colours.

    Args:
        path (str): The file.
        where (str): Which entry it is of, for messages.

    Returns:
        MaskImage: The image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole image, or one of colours.
    """
    try:
        with Image.open(path) as image:
            check_no_program(image, str(path))
            pixels, mode = np.asarray(image), image.mode
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{where} has the mask {path}, which is missing. Correct the path, or leave it empty '
                                f'if nothing on the image fits.') from error
    except Exception as error:
        # Pillow's readers raise whatever their parsing of broken bytes runs into.
        raise ValueError(f'{where} has the mask {path}, which is not a whole image ({error}). Save it again as PNG.'
                         ) from error
    if pixels.ndim == 3 and mode == 'RGB' and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if pixels.ndim != 2 or mode == 'F':
        raise ValueError(f'{where} has the mask {path}, a picture of colours ({mode}). A mask has one number a pixel: '
                         f'save it as grey or with a palette.')
    return MaskImage(path, pixels.astype(np.uint8) if pixels.dtype == bool else pixels)


def select_object(image: MaskImage, value: Optional[int], mask_values: Optional[str], where: str) -> np.ndarray:
    """Select the pixels of an object.

    Args:
        image (MaskImage): The mask image.
        value (int, optional): Id of the object, if the mask is known to hold ids. None: it is not known.
        mask_values (str, optional): One of :data:`MASK_VALUES`. None: nobody said.
        where (str): Which entry it is of, for messages.

    Returns:
        ndarray: ``(H, W)`` bool.

    Raises:
        ValueError: If it cannot be told which pixels they are, or there are none.
    """
    there, path = image.values, image.path
    listed = ', '.join(map(str, there[:12])) + (f', ... ({len(there)} values)' if len(there) > 12 else '')
    if value is not None:
        if value not in there:
            raise ValueError(f'{where} has the value {value}, but its mask {path} has the values {listed}. Correct one '
                             f'of them.')
        return image.pixels == value
    if mask_values == 'instances':
        raise ValueError(f'{where} has no value. With --mask-values instances, it names the object in the mask {path}, '
                         f'which has the values {listed}.')
    objects = there[there != 0]
    if not len(objects):
        raise ValueError(f'{where} has the mask {path}, in which all pixels are 0. Draw the object, or remove '
                         f'the entry.')
    if len(objects) > 1 and mask_values is None:
        lossy = ' A JPEG file changes values: save masks as PNG.' if path.lower().endswith(('.jpg', '.jpeg')) else ''
        raise ValueError(f'{where} has the mask {path} with the values {listed}. Say what they mean: --mask-values '
                         f'binary if all above 0 are the object, or --mask-values instances if they are ids of '
                         f'objects, of which the column `value` of a CSV file names one.{lossy}')
    return image.pixels > 0
