"""From a dict of arrays to what a model takes."""

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmris.registry import TRANSFORMS
from mmris.structures import ReferringDataSample

META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'affine', 'image_box', 'text', 'ref_ids', 'sent_ids',
             'skills')


@TRANSFORMS.register_module()
class PackReferringInputs(BaseTransform):
    """Packs a sample: the image as ``inputs``, all else into a ``ReferringDataSample``.

    Args:
        masks (Sequence[str]): Which ground truth is packed: ``gt_input`` for training, ``gt_original`` for scoring,
            nothing for prediction. Defaults to ().

    Raises:
        ValueError: If ``masks`` has another name.
    """

    def __init__(self, *, masks: Sequence[str] = ()) -> None:
        unknown = set(masks) - {'gt_input', 'gt_original'}
        if unknown:
            raise ValueError(f'masks of PackReferringInputs are gt_input and gt_original, but got {sorted(unknown)}.')
        self.masks = tuple(masks)

    def transform(self, results: dict) -> dict:
        """Pack.

        Raises:
            ValueError: If a wanted mask was not made.
        """
        sample = ReferringDataSample(metainfo={key: results[key] for key in META_KEYS if key in results})
        sample.token_ids = results['token_ids']
        sample.token_mask = results['token_mask']
        for name in self.masks:
            if name not in results:
                raise ValueError(
                    f'PackReferringInputs is to pack {name}, but no transform made it: LoadMasks makes gt_original, '
                    f'Letterbox or Resize after it make gt_input.')
            dtype = torch.float32 if name == 'gt_input' else torch.bool
            setattr(sample, name, torch.from_numpy(results[name]).to(dtype))
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(image), data_samples=sample)
