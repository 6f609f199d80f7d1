"""Instance masks of a segmenter: decoded, and compared with what expressions refer to."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmris.registry import TRANSFORMS

from ..instance_masks import sample_masks


@TRANSFORMS.register_module()
class LoadInstanceMasks(BaseTransform):
    """Decodes the instance masks of a sample's image.

    It stands before Letterbox or Resize, which warp them with the image.

    Required keys: ``instances``, for each of the K a ``segmentation``, as a data set with ``instance_masks`` has them;
    ``height``, ``width``, ``img_path``. Added key: ``instance_masks``, ``(K, H0, W0)`` uint8 of 0 and 1; K may be 0.
    """

    def transform(self, results: dict) -> dict:
        """Decode.

        Raises:
            ValueError: If the data set has no instance masks.
            ValueError: If a segmentation is malformed; the message names the image.
        """
        masks = sample_masks(results)
        if masks is None:
            raise ValueError(
                'LoadInstanceMasks is in the pipeline, but the data set has no instance masks: set '
                'instance_masks=dict(file=...) of the data set, a COCO results file below data_root. '
                'docs/instance_masks.md says how to get one.')
        results['instance_masks'] = masks
        return results


@TRANSFORMS.register_module()
class MatchInstances(BaseTransform):
    """Tells how well each instance covers what each expression refers to, for losses that choose among instances.

    Required keys: ``gt_original``, ``(S, H0, W0)``, and ``instance_masks``, ``(K, H0, W0)``, uint8 of 0 and 1. Added
    key: ``instance_iou``, ``(S, K)`` float32, intersection over union in original pixels; 0 where both are empty.
    """

    def transform(self, results: dict) -> dict:
        """Compare.

        Raises:
            ValueError: If a required key was not made.
        """
        for key, maker in (('gt_original', 'LoadMasks'), ('instance_masks', 'LoadInstanceMasks')):
            if key not in results:
                raise ValueError(f'MatchInstances needs {key}, which {maker} makes: put it before MatchInstances.')
        height, width = results['gt_original'].shape[1:]
        targets, found = (results[key].reshape(-1, height * width).astype(bool)
                          for key in ('gt_original', 'instance_masks'))
        # Few pixels are of any target.
        inside = np.flatnonzero(targets.any(axis=0))
        targets, found_inside = targets[:, inside], np.take(found, inside, axis=1)
        # Counted pair by pair: a product of matrices would start BLAS' threads in each worker.
        intersection = np.array([_areas(target & found_inside) for target in targets]).reshape(len(targets), len(found))
        union = _areas(targets)[:, None] + _areas(found) - intersection
        iou = np.divide(intersection, union, out=np.zeros(union.shape), where=union > 0)
        results['instance_iou'] = iou.astype(np.float32)
        return results


def _areas(masks: np.ndarray) -> np.ndarray:
    # One by one, NumPy counts many times as fast as along an axis.
    return np.array([np.count_nonzero(mask) for mask in masks], dtype=np.int64)
