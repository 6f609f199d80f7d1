"""From collated samples to a batch on the device."""

from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmris.registry import MODELS
from mmris.structures import (
    ExpressionBatch,
    ImageInputs,
    ImageView,
    InstanceMasks,
    PixelDigests,
    ReferringDataSample,
    ReferringInputs,
    concatenate_tokens,
)

from .layers import patches_inside


@MODELS.register_module()
class ReferringDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the device, normalises its images and masks, and lines up the expressions of all its images.

    Args:
        mean (Sequence[float]): Mean of red, green and blue, in 0 to 255.
        std (Sequence[float]): Standard deviation of red, green and blue, in 0 to 255.
        zero_border (bool): Set the pixels outside of the image's box to 0 after normalisation, as SAM expects,
            whatever colour the border has before. Default: False.
        views (dict[str, dict], optional): ``mean``, ``std`` and, where wanted, ``zero_border`` of views other than the
            main one, by their names. Default: None, there are no others; a name with None is left out.
        non_blocking (bool): Copy to a GPU without waiting, where batches are in pinned memory. Default: True.
        masking (dict[str, Any], optional): Random masks as augmentation, in training alone: ``image``, the config of a
            :class:`~mmris.models.masking.RandomBlockMask`, which hides pixels after normalisation; ``view``, the view
            that it hides (needed if there are several, else ``'main'``); ``words``, the config of a
            :class:`~mmris.models.masking.RandomWordMask`, for tokenizers with [MASK]; others take one with
            ``mask_share=0``, whose words become random ones. Default: None, nothing is masked.

    Raises:
        ValueError: If a view lacks ``mean`` or ``std``, or has something else.
        ValueError: If ``masking`` has something else, masks nothing, or does not say which of several views.
    """

    def __init__(self,
                 *,
                 mean: Sequence[float],
                 std: Sequence[float],
                 zero_border: bool = False,
                 views: Optional[Dict[str, dict]] = None,
                 non_blocking: bool = True,
                 masking: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(non_blocking=non_blocking)
        views = {name: view for name, view in (views or {}).items() if view is not None}
        for name, view in views.items():
            if not {'mean', 'std'} <= set(view) <= {'mean', 'std', 'zero_border'}:
                raise ValueError(f'model.data_preprocessor.views.{name} must have mean and std, and may have '
                                 f'zero_border, but has {", ".join(view) or "nothing"}.')
        self.views = tuple(views)
        self._zeroed = {name for name, view in views.items() if view.get('zero_border', False)}
        if zero_border:
            self._zeroed.add('main')
        self._statistics = dict(mean=tuple(mean), std=tuple(std))
        for view, statistics in views.items():
            self._statistics.update({f'{name}_{view}': tuple(statistics[name]) for name in ('mean', 'std')})
        for name, values in self._statistics.items():
            self.register_buffer(name, _per_channel(values), persistent=False)
        self._build_masks(masking or {})
        # Whatever changes the dtype of a model's weights, as model.half() does, changes this one too.
        self.register_buffer('_like_weights', torch.zeros(1), persistent=False)

    def _build_masks(self, masking: Dict[str, Any]) -> None:
        masking = {name: value for name, value in masking.items() if value is not None}
        if masking and not ({'image', 'words'} & set(masking) and set(masking) <= {'image', 'words', 'view'}):
            raise ValueError(f'model.data_preprocessor.masking has image, words or both, and may have view, but has '
                             f'{", ".join(masking)}.')
        if self.views and 'image' in masking and 'view' not in masking:
            raise ValueError(f'model.data_preprocessor.masking must say which view is masked, since there are several: '
                             f'view, one of {", ".join(["main", *self.views])}.')
        self.masked_view = masking.get('view', 'main') if 'image' in masking else None
        if 'view' in masking and (self.masked_view is None or self.masked_view not in ('main', *self.views)):
            raise ValueError(f'model.data_preprocessor.masking.view is {masking["view"]!r}, but must be one of '
                             f'{", ".join(["main", *self.views])}, beside an image mask.')
        self.image_mask = MODELS.build(masking['image']) if 'image' in masking else None
        self.word_mask = MODELS.build(masking['words']) if 'words' in masking else None

    def _apply(self, *args: Any, **kwargs: Any) -> 'ReferringDataPreprocessor':
        super()._apply(*args, **kwargs)
        for name, values in self._statistics.items():
            # model.half() must not round what pixels are normalised by.
            if getattr(self, name).dtype != torch.float32:
                setattr(self, name, _per_channel(values).to(self._like_weights.device))
        return self

    def forward(self, data: dict, training: bool = False) -> dict:
        """Make a batch.

        Args:
            data (dict): ``inputs``: list of B ``(3, H, W)`` RGB images, uint8, or float32 of about 0 to 255;
                ``data_samples``: list of B samples; ``views``, where there are other views than the main one: by name
                lists as ``inputs``.
            training (bool): Whether to mask, where ``masking`` says so. Nothing else differs. Default: False.

        Returns:
            dict: ``inputs``: :class:`ReferringInputs`; ``data_samples``: copies of the samples on the device, with
            ``gt_input``, if they have one, as float32 in [0, 1].

        Raises:
            ValueError: See :meth:`batch_images`, and the masks.
        """
        data = self.cast_data(data)
        images, samples = data['inputs'], data['data_samples']
        boxes = [sample.image_box for sample in samples]
        for sample in samples:
            if 'gt_input' in sample and sample.gt_input.dtype == torch.uint8:
                sample.gt_input = sample.gt_input.float() / 255
        found = [sample.instance_masks for sample in samples if 'instance_masks' in sample]
        views = {
            name: (pixels, [sample.view_boxes[name] for sample in samples])
            for name, pixels in data.get('views', {}).items()
        }
        batched = with_digests(self.batch_images(images, boxes, found or None, views), samples)
        inputs = ReferringInputs(images=batched, expressions=batch_expressions(samples))
        return dict(inputs=self._mask(inputs) if training else inputs, data_samples=samples)

    def _mask(self, inputs: ReferringInputs) -> ReferringInputs:
        images, expressions = inputs.images, inputs.expressions
        if self.image_mask is not None:
            images = self.image_mask(images, self.masked_view).images
        if self.word_mask is not None:
            expressions = self.word_mask(expressions).expressions
        return ReferringInputs(images=images, expressions=expressions)

    def batch_images(self,
                     images: List[Tensor],
                     boxes: Sequence[Sequence[float]],
                     instance_masks: Optional[Sequence[Tensor]] = None,
                     views: Optional[Mapping[str, Tuple[List[Tensor], Sequence[Sequence[float]]]]] = None
                     ) -> ImageInputs:
        """Stack and normalise images.

        Args:
            images (list[Tensor]): B ``(3, H, W)`` RGB images on the device: uint8, or float32 of about 0 to 255.
            boxes (Sequence[Sequence[float]]): For each ``x0, y0, x1, y1`` of the rectangle that it fills.
            instance_masks (Sequence[Tensor], optional): For each ``(K_b, H, W)`` bool, what was found on it. Defaults
                to None: nobody looked.
            views (Mapping, optional): By name images and boxes of other views. Default: None, no others.

        Raises:
            ValueError: If the views are not those that the model has statistics of.
            ValueError: If the images differ in size.
            ValueError: If some images have instance masks and others have not, or masks are not bool of their size.
        """
        if set(views or ()) != set(self.views):
            raise ValueError(
                f'The images have the views {", ".join(["main", *(views or ())])}, but model.data_preprocessor has '
                f'mean and std of {", ".join(["main", *self.views])}: name the same in inputs.views and in '
                f'model.data_preprocessor.views.')
        if instance_masks is not None:
            _check_instances(instance_masks, images)
        main = self.normalise(_stack(images), self._boxes(boxes))
        return ImageInputs(
            pixels=main.pixels,
            box=main.box,
            instances=None if instance_masks is None else batch_instances(instance_masks),
            views={
                name: self.normalise(_stack(pixels), self._boxes(places), name)
                for name, (pixels, places) in (views or {}).items()
            })

    def normalise(self, pixels: Tensor, box: Tensor, view: str = 'main') -> ImageView:
        """Normalise images by the statistics of a view, in float32, and then take the type of the model's weights.

        Args:
            pixels (Tensor): ``(B, 3, H, W)`` RGB: uint8, or float32 of about 0 to 255.
            box (Tensor): ``(B, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that each fills.
            view (str): The view's name. Default: ``'main'``.

        Returns:
            ImageView: The view, with ``box`` as it came.
        """
        ending = '' if view == 'main' else f'_{view}'
        mean, std = getattr(self, f'mean{ending}'), getattr(self, f'std{ending}')
        normalised = ((pixels.float() - mean) / std).to(self._like_weights.dtype)
        if view in self._zeroed:
            size = tuple(normalised.shape[-2:])
            normalised = normalised.masked_fill(~patches_inside(box, size, size).unsqueeze(1), 0)
        return ImageView(normalised, box)

    def view_settings(self, view: str = 'main') -> Dict[str, Any]:
        """Say what is done to the pixels of a view.

        Args:
            view (str): The view's name. Default: ``'main'``.

        Returns:
            dict: ``mean``, ``std`` and ``zero_border``.
        """
        ending = '' if view == 'main' else f'_{view}'
        statistics = {name: self._statistics[f'{name}{ending}'] for name in ('mean', 'std')}
        return dict(statistics, zero_border=view in self._zeroed)

    def _boxes(self, boxes: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor(boxes, dtype=torch.float32, device=self.device)


def _stack(images: Sequence[Tensor]) -> Tensor:
    sizes = sorted({tuple(image.shape[-2:]) for image in images})
    if len(sizes) > 1:
        raise ValueError(
            f'Images of one batch must have one size, but got {sizes} (height, width). End the pipeline\'s '
            f'geometry with Letterbox or Resize to a fixed size.')
    return torch.stack(list(images))


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


def with_digests(images: ImageInputs, samples: Sequence[ReferringDataSample]) -> ImageInputs:
    """Add the digests of their pixels to images.

    Args:
        images (ImageInputs): B images.
        samples (Sequence[ReferringDataSample]): B samples, with ``pixel_digests`` if their pipeline computed them.

    Returns:
        ImageInputs: The images, with digests of each view; as they came if a sample has none.
    """
    if not all('pixel_digests' in sample for sample in samples):
        return images

    def of_view(name: str) -> PixelDigests:
        return PixelDigests(tuple(sample.pixel_digests[name] for sample in samples))

    views = {name: replace(view, digests=of_view(name)) for name, view in images.views.items()}
    return replace(images, views=views, digests=of_view('main'))


def batch_expressions(samples: Sequence[ReferringDataSample]) -> ExpressionBatch:
    """Line up the expressions of several images.

    Args:
        samples (Sequence[ReferringDataSample]): B samples with ``token_ids`` and ``token_mask``, which may differ in
            length from one sample to another.

    Returns:
        ExpressionBatch: Of all their expressions, in order, as long as the longest sample's. What shorter ones lack
        is false in the mask, and has the id 0, which every vocabulary has.
    """
    counts = torch.tensor([len(sample.token_ids) for sample in samples])
    token_ids = concatenate_tokens([sample.token_ids for sample in samples])
    return ExpressionBatch(
        token_ids=token_ids,
        token_mask=concatenate_tokens([sample.token_mask for sample in samples]),
        image_index=torch.arange(len(samples)).repeat_interleave(counts).to(token_ids.device),
        # One tokenizer makes the samples of a batch.
        vocabulary=samples[0].get('vocabulary'))


def batch_instances(masks: Sequence[Tensor]) -> InstanceMasks:
    """Line up the instance masks of several images, with padding up to the most that an image has.

    Args:
        masks (Sequence[Tensor]): For each image ``(K_b, H, W)`` bool; of all images H and W are the same.
    """
    counts = torch.tensor([len(one) for one in masks], device=masks[0].device)
    return InstanceMasks(
        masks=pad_sequence(list(masks), batch_first=True),
        present=torch.arange(int(max(len(one) for one in masks)), device=counts.device) < counts[:, None])


def _check_instances(masks: Sequence[Tensor], images: Sequence[Tensor]) -> None:
    if len(masks) != len(images):
        raise ValueError(
            f'{len(masks)} of {len(images)} images of a batch have instance masks: load them for all, by '
            f'LoadInstanceMasks in the pipeline, or for none. Where nothing was found, an image has 0 masks.')
    for number, (found, image) in enumerate(zip(masks, images)):
        if found.dim() != 3 or found.dtype != torch.bool or found.shape[1:] != image.shape[1:]:
            raise ValueError(
                f'Instance masks of image {number} of a batch must be bool of shape (K, {image.size(1)}, '
                f'{image.size(2)}), as the image, but are {found.dtype} of {tuple(found.shape)}: Letterbox and Resize '
                f'warp them with it, where LoadInstanceMasks stands before them.')
