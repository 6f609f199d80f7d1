"""From a dict of arrays to what a model takes."""

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmris.images.digest import digest_pixels
from mmris.registry import TRANSFORMS
from mmris.structures import ReferringDataSample

META_KEYS = ('img_id', 'img_path', 'upright', 'ori_shape', 'img_shape', 'affine', 'image_box', 'text', 'ref_ids',
             'sent_ids', 'skills', 'vocabulary')

# What may be packed of the truth, and what makes it.
TRUTHS = {
    'gt_input': 'LoadMasks, and Letterbox or Resize after it, make it',
    'gt_original': 'LoadMasks makes it',
    'instance_iou': 'MatchInstances makes it',
}


@TRANSFORMS.register_module()
class PackReferringInputs(BaseTransform):
    """Packs a sample: the image as ``inputs``, all else into a ``ReferringDataSample``.

    Instance masks are packed wherever the pipeline loaded them, and so is ``gt_existence`` of LoadMasks. So are views
    other than the main one: their pixels as ``views``, a dict of ``(3, H, W)`` tensors by name.

    Args:
        masks (Sequence[str]): What is packed of the ground truth: ``gt_input`` for training, ``gt_original`` for
            scoring (with ``gt_ignored`` where the set has pixels to ignore), ``instance_iou`` for training with
            instance masks, nothing for prediction. Defaults to ().
        digests (bool): Whether to pack a digest of the pixels of each view, by which a feature cache finds them. A
            config with ``model.feature_cache`` sets it. Default: False.

    Raises:
        ValueError: If ``masks`` has another name.
    """

    def __init__(self, *, masks: Sequence[str] = (), digests: bool = False) -> None:
        unknown = set(masks) - set(TRUTHS)
        if unknown:
            raise ValueError(f'masks of PackReferringInputs are {", ".join(TRUTHS)}, but got {sorted(unknown)}.')
        self.masks = tuple(masks)
        self.digests = digests

    def transform(self, results: dict) -> dict:
        """Pack.

        Raises:
            ValueError: If a wanted mask was not made, or instance masks were loaded but not warped.
        """
        sample = ReferringDataSample()
        for key in META_KEYS:
            if key in results:
                # set_metainfo would make a deep copy of all.
                sample.set_field(results[key], key, field_type='metainfo')
        sample.token_ids = results['token_ids']
        sample.token_mask = results['token_mask']
        for name in self.masks:
            if name not in results:
                raise ValueError(f'PackReferringInputs is to pack {name}, but no transform made it: {TRUTHS[name]}.')
            truth = torch.from_numpy(results[name])
            setattr(sample, name, truth.bool() if name == 'gt_original' else truth)
        if 'gt_existence' in results:
            sample.gt_existence = torch.from_numpy(results['gt_existence'])
        if 'gt_original' in self.masks and 'gt_ignored' in results:
            sample.gt_ignored = torch.from_numpy(results['gt_ignored']).bool()
        if 'instance_masks' in results:
            if 'instance_input' not in results:
                raise ValueError('Instance masks were loaded, but not warped with the image: put LoadInstanceMasks '
                                 'before Letterbox or Resize.')
            sample.instance_masks = torch.from_numpy(results['instance_input'])
        packed = dict(inputs=image_tensor(results['img']), data_samples=sample)
        if 'views' in results:
            packed['views'] = {name: image_tensor(view['img']) for name, view in results['views'].items()}
            sample.set_metainfo(dict(view_boxes={name: view['image_box'] for name, view in results['views'].items()}))
        if self.digests:
            views = {'main': results, **results.get('views', {})}
            digests = {name: digest_pixels(view['img'], view['image_box']) for name, view in views.items()}
            sample.set_metainfo(dict(pixel_digests=digests))
        return packed


def image_tensor(image: np.ndarray) -> Tensor:
    """Bring an image to what models take: ``(H, W, 3)`` to ``(3, H, W)``, a view of the same memory."""
    # Whoever stacks the batch copies the pixels anyway, and on a GPU that takes no time.
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
