"""From files to pixels and masks."""

import io
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image, ImageOps, UnidentifiedImageError

from mmris.registry import TRANSFORMS

from ..masks import union_of_segmentations

REFUSED_MODES = ('I', 'F', 'La')
"""Modes of Pillow of which no RGB is made: nothing says which value is white, or Pillow has no conversion (``La``)."""


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
        ValueError: If it is of no image format that Pillow reads.
        ValueError: If it is a truncated image.
        ValueError: If it has more pixels than Pillow decodes, twice ``Image.MAX_IMAGE_PIXELS``.
        ValueError: If its pixels cannot be brought to RGB (see :func:`to_rgb`).
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return to_rgb(ImageOps.exif_transpose(image) if upright else image, name)
    except UnidentifiedImageError as error:
        raise ValueError(f'{name} is of no image format that Pillow reads: convert it to JPEG or PNG, or fetch it '
                         f'again if it should be one.') from error
    except Image.DecompressionBombError as error:
        raise ValueError(f'{name} has more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels: make it '
                         f'smaller.') from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{name} is not a whole image file ({error}). Fetch it again.') from error


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
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in REFUSED_MODES:
        raise ValueError(f'{name} has the mode {image.mode!r} of Pillow, which cannot be brought to RGB without '
                         f'guessing: convert it to 8 bits, grey or RGB.')
    return np.array(image.convert('RGB'))


def read_stored_image(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Read an image file as data sets do: the stored pixels, to which annotations belong.

    Args:
        path (str): The file.
        backend_args (dict, optional): File backend of MMEngine. Defaults to None: by the path.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded (see :func:`decode_image`).
    """
    return decode_image(fileio.get(path, backend_args=backend_args), path, upright=False)


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Reads the image of a sample.

    Required keys: ``img_path``; ``height`` and ``width`` of the annotation. Added keys: ``img``, ``(H0, W0, 3)`` uint8
    RGB; ``ori_shape``; ``img_shape``.

    Args:
        backend_args (dict, optional): File backend of MMEngine. Defaults to None: by the path.
    """

    def __init__(self, *, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Read.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be decoded, or is of another size than its annotation says.
        """
        path = results['img_path']
        results['img'] = read_stored_image(path, self.backend_args)
        shape = results['img'].shape[:2]
        if shape != (results['height'], results['width']):
            raise ValueError(
                f'{path} is {shape[0]} x {shape[1]} pixels (height x width), but its annotation says '
                f'{results["height"]} x {results["width"]} (image id {results["img_id"]}): the wrong file, or a '
                f'resized one. Fetch the original.')
        results['ori_shape'] = results['img_shape'] = shape
        return results


@TRANSFORMS.register_module()
class LoadMasks(BaseTransform):
    """Decodes the masks of a sample's expressions.

    In a training pipeline it stands before Letterbox or Resize, which then warp the masks too; in a test pipeline
    after them, since predictions are scored on the original pixels.

    Required keys: ``targets``, for each of the S expressions an index into ``objects``; ``objects``, for each the list
    of its COCO segmentations; ``height``, ``width``. Added key: ``gt_original``, ``(S, H0, W0)`` uint8 of 0 and 1.
    """

    def transform(self, results: dict) -> dict:
        """Decode.

        Raises:
            ValueError: If a segmentation is malformed; the message names image and object.
        """
        height, width = results['height'], results['width']
        decoded = {}
        for target, ref_id in zip(results['targets'], results['ref_ids']):
            if target not in decoded:
                try:
                    decoded[target] = union_of_segmentations(results['objects'][target], height, width)
                except ValueError as error:
                    raise ValueError(
                        f'The mask of ref {ref_id} on {results["img_path"]} is malformed: {error}. Repair or remove '
                        f'it in the annotation file.') from error
        masks = [decoded[target] for target in results['targets']]
        results['gt_original'] = np.stack(masks) if masks else np.zeros((0, height, width), dtype=np.uint8)
        return results
