"""Which parts of a model a feature cache can keep."""

from typing import Any, Dict, List

from torch import nn

from mmris.utils import is_part

from .cache import FeatureCache, PartCache


def attach_cache(model: nn.Module, cache: FeatureCache) -> None:
    """Have a model's encoder keep what its frozen parts compute of images.

    Args:
        model (nn.Module): A segmentor, with ``encoder``, ``data_preprocessor`` and the names of its ``frozen`` parts.
        cache (FeatureCache): The cache.

    Raises:
        ValueError: If no part of the encoder sees an image alone with frozen weights; the message says why.
        ValueError: If a part that would be kept looks at a view that the data preprocessor masks in each step.
    """
    encoder, refused = model.encoder, []
    masked_view = getattr(model.data_preprocessor, 'masked_view', None)
    for name, part in encoder.image_parts.items():
        prefix, _, own_name = name.rpartition('.')
        owner = encoder.get_submodule(prefix)
        trained = _find_trained(model, [f'encoder.{prefix}{"." if prefix else ""}{one}' for one in part.modules])
        if trained:
            refused.append(trained)
        elif part.view == masked_view:
            raise ValueError(f'model.feature_cache finds features of {name} by the pixels of the view {part.view!r}. '
                             f'model.data_preprocessor.masking hides other pixels of it in each step, so that none '
                             f'would be found again: leave out one of the two.')
        else:
            owner.part_caches[own_name] = PartCache(
                cache, name=name, modules=part.modules, preprocessing=_preprocessing(model, part.view))
    if not encoder.image_parts:
        raise ValueError(
            f'model.feature_cache keeps what frozen towers make of an image before any sentence, but '
            f'{type(encoder).__name__} has no such tower: {encoder.why_no_image_part}. Leave model.feature_cache out.')
    if len(refused) == len(encoder.image_parts):
        raise ValueError(f'model.feature_cache keeps what frozen towers make of images, but {"; ".join(refused)}. '
                         f'Leave model.feature_cache out to train it.')


def _find_trained(model: nn.Module, names: List[str]) -> str:
    """Say which of some modules are trained, if any, and how to freeze them."""
    loose = [name for name in names if not is_part(name, model.frozen)]
    if not loose:
        return ''
    weights = {
        f'{name}.{own}': parameter.requires_grad
        for name in loose for own, parameter in model.get_submodule(name).named_parameters()
    }
    trained = [name for name, is_trained in weights.items() if is_trained]
    listed = ' and '.join(loose)
    if trained:
        fault = f'{len(trained)} of {len(weights)} weights of {listed} are trained, such as {trained[0]}'
    else:
        fault = f'{listed} is frozen in parts, not as a whole'
    return f'{fault}: name {listed} in model.frozen'


def _preprocessing(model: nn.Module, view: str) -> Dict[str, Any]:
    settings = getattr(model.data_preprocessor, 'view_settings', None)
    return {} if settings is None else settings(view)
