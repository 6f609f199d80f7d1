"""From files to pixels and masks."""

from typing import Any, Mapping, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio

from mmris.images import decode_image
from mmris.registry import TRANSFORMS

from ..masks import union_of_segmentations
from ..problems import SKIP_ADVICE


def read_sample_image(path: str, upright: bool = False, backend_args: Optional[dict] = None) -> np.ndarray:
    """Read an image file as :class:`LoadImage` does.

    Args:
        path (str): The file.
        upright (bool): Turn the image as its EXIF orientation says. Defaults to False: annotations of COCO belong to
            the stored pixels.
        backend_args (dict, optional): File backend of MMEngine. Defaults to None: by the path.

    Returns:
        ndarray: ``(H0, W0, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded (see :func:`mmris.images.decode_image`).
    """
    return decode_image(_read_file(path, backend_args), path, upright)


def load_sample_image(info: Mapping[str, Any], upright: bool = False,
                      backend_args: Optional[dict] = None) -> np.ndarray:
    """Read the image of a sample, and check that it has the size that its annotation says.

    Args:
        info (Mapping[str, Any]): With ``img_path``, and what the annotation says: ``height`` and ``width`` in pixels,
            ``img_id``.
        upright (bool): Whether the image was annotated upright, turned by its EXIF orientation. Defaults to False: as
            stored.
        backend_args (dict, optional): File backend of MMEngine. Defaults to None: by the path.

    Returns:
        ndarray: ``(height, width, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded (see :func:`mmris.images.decode_image`).
        ValueError: If it is of another size than its annotation says. Where the other value of ``upright`` makes it
            fit, the message says so.
    """
    path, wanted = info['img_path'], (info['height'], info['width'])
    content = _read_file(path, backend_args)
    pixels = decode_image(content, path, upright)
    found = pixels.shape[:2]
    if found == wanted:
        return pixels
    annotated = f'its annotation says {wanted[0]} x {wanted[1]} (image id {info["img_id"]})'
    if decode_image(content, path, not upright).shape[:2] != wanted:
        raise ValueError(f'{path} is {found[0]} x {found[1]} pixels (height x width), but {annotated}: the wrong file, '
                         f'or a resized one. Fetch the original.')
    if upright:
        raise ValueError(f'{path} is {found[0]} x {found[1]} pixels (height x width) when its EXIF turns it upright, '
                         f'but {annotated}, its size as stored. Set inputs.steps.load_image.upright=False.')
    raise ValueError(f'{path} is {found[0]} x {found[1]} pixels (height x width) as stored, but {annotated}, its size '
                     f'when its EXIF turns it upright. If your images were annotated upright, set '
                     f'inputs.steps.load_image.upright=True.')


def _read_file(path: str, backend_args: Optional[dict]) -> bytes:
    try:
        return fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'There is no image {path}. Set data_prefix.img_path of the data set to the folder of '
                                f'the images.') from error
    except OSError as error:
        raise OSError(error.errno, f'The image {path} cannot be read ({error.strerror}): the disk or its network mount '
                      f'fails. When it works again, run the same command (a training with --resume).') from error


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Reads the image of a sample.

    Required keys: ``img_path``; ``height``, ``width`` and ``img_id`` of the annotation. Added keys: ``img``,
    ``(H0, W0, 3)`` uint8 RGB; ``ori_shape``; ``img_shape``; ``upright``, how it was read.

    Args:
        upright (bool): Turn the image as its EXIF orientation says before it meets its annotations, for photographs
            that were annotated upright, as most tools show them. Set it alike in all pipelines. A wrong value is an
            error where it exchanges height and width; where it does not (square images, or turned by 180 degrees),
            masks lie elsewhere than what they belong to. Defaults to False: COCO's annotations belong to the pixels as
            they are stored.
        backend_args (dict, optional): File backend of MMEngine. Defaults to None: by the path.
    """

    def __init__(self, *, upright: bool = False, backend_args: Optional[dict] = None) -> None:
        self.upright = upright
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Read.

        Raises:
            FileNotFoundError, ValueError: See :func:`~mmris.datasets.transforms.loading.load_sample_image`.
        """
        try:
            results['img'] = load_sample_image(results, self.upright, self.backend_args)
        except (FileNotFoundError, ValueError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f'{error} {SKIP_ADVICE}') from error
        results['ori_shape'] = results['img_shape'] = results['img'].shape[:2]
        results['upright'] = self.upright
        return results


@TRANSFORMS.register_module()
class LoadMasks(BaseTransform):
    """Decodes the masks of a sample's expressions.

    In a training pipeline it stands before Letterbox or Resize, which then warp the masks too; in a test pipeline
    after them, since predictions are scored on the original pixels.

    Required keys: ``targets``, for each of the S expressions an index into ``objects``; ``objects``, for each the list
    of its COCO segmentations; ``height``, ``width``. Added keys: ``gt_original``, ``(S, H0, W0)`` uint8 of 0 and 1;
    ``gt_existence``, ``(S,)`` bool, false where nothing fits: no segmentation, which is no missing one. Where the
    sample has ``ignored``, for each object the list of the RLEs of pixels to ignore, also ``gt_ignored`` of the shape
    of ``gt_original``.
    """

    def transform(self, results: dict) -> dict:
        """Decode.

        Raises:
            ValueError: If a segmentation is malformed, or a target's mask covers no pixel: that would say that nothing
                fits the sentence. The message names image and object.
        """
        height, width = results['height'], results['width']
        masks = np.empty((len(results['targets']), height, width), dtype=np.uint8)
        decoded = {}
        for mask, target, ref_id in zip(masks, results['targets'], results['ref_ids']):
            if target in decoded:
                mask[...] = decoded[target]
                continue
            try:
                decoded[target] = union_of_segmentations(results['objects'][target], height, width, out=mask)
            except ValueError as error:
                raise ValueError(
                    f'The mask of ref {ref_id} on {results["img_path"]} is malformed: {error}. Repair or remove it in '
                    f'the annotation file.') from error
            if results['objects'][target] and not mask.any():
                raise ValueError(f'The mask of ref {ref_id} on {results["img_path"]} covers no pixel. Repair or remove '
                                 f'it in the annotation file. {SKIP_ADVICE}')
        results['gt_original'] = masks
        results['gt_existence'] = np.array([bool(results['objects'][target]) for target in results['targets']])
        if 'ignored' in results:
            # Checked when the set was read.
            results['gt_ignored'] = np.stack([
                union_of_segmentations(results['ignored'][target], height, width) for target in results['targets']
            ])
        return results
