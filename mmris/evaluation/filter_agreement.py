"""Whether the filters of CM-MaskSD's branches follow the other modality."""

from dataclasses import replace
from typing import Dict, Iterable, List, Sequence, Tuple

import torch
from torch import Tensor

from mmris.models.distillation import MaskedDistillation, MaskedVisualDistillation, measure_target_share
from mmris.models.segmentors import ReferringSegmentor
from mmris.structures import MainPass, ReferringDataSample, ReferringInputs, gather_input_masks, word_positions


@torch.no_grad()
def measure_filters(
        model: ReferringSegmentor,
        batches: Iterable[Tuple[ReferringInputs, List[ReferringDataSample]]]) -> Dict[str, Dict[str, float]]:
    """Exchange what the branches' filters are guided by, and count what they select all the same.

    In each batch, every sentence is paired with the next image of the batch, and the last with the first. Words are
    then selected by another image, patches by another sentence.

    Args:
        model (ReferringSegmentor): In evaluation mode, with branches that are a
            :class:`~mmris.models.distillation.MaskedDistillation`.
        batches (Iterable[tuple]): Inputs, preprocessed, and samples with ``gt_input``. Batches of one image are left
            out, as they have no other.

    Returns:
        dict[str, dict]: By the name of a branch, means over expressions, in percent: ``selected``, of the candidates,
        the share that is selected, which is also what stays of a selection at random; ``kept``, of what is selected,
        the share that is selected too after the exchange. Of a branch that masks patches also ``target``, of the
        target's patches, the share that its own sentence selects, and ``target_exchanged``, the share that the other
        sentence does. Expressions without a target, or without a candidate, do not count.

    Raises:
        ValueError: If the model has no such branch, or no batch has two images.
    """
    branches = {name: branch for name, branch in model.distillation.items() if isinstance(branch, MaskedDistillation)}
    if not branches:
        raise ValueError('The model has no branch of CM-MaskSD, which would have a filter: see model.distillation.')
    counts: Dict[str, Dict[str, List[Tensor]]] = {name: {} for name in branches}
    for inputs, samples in batches:
        if len(samples) < 2:
            continue
        own = model.main_pass(inputs)
        exchanged = _exchange(model, own, len(samples))
        target = gather_input_masks(samples, 'the count of what filters select')
        for name, branch in branches.items():
            for key, values in _compare(branch, own, exchanged, target).items():
                counts[name].setdefault(key, []).append(values)
    if not all(counts.values()):
        raise ValueError('Filters are compared within a batch, but no batch has two images. Give a larger batch size.')
    return {name: {key: 100 * _mean(values) for key, values in found.items()} for name, found in counts.items()}


def _exchange(model: ReferringSegmentor, own: MainPass, images: int) -> MainPass:
    """Every sentence about the next image."""
    image_index = (own.image_index + 1) % images
    encoded = model.encoder.join(own.image_state, own.text_state, image_index)
    return replace(own, image_index=image_index, encoded=encoded)


def _compare(branch: MaskedDistillation, own: MainPass, exchanged: MainPass, target: Tensor) -> Dict[str, Tensor]:
    """The shares of :func:`measure_filters`, a value an expression; NaN where there is nothing to count."""
    if isinstance(branch, MaskedVisualDistillation):
        # What a sentence selects on the next image is held against what that image's own first sentence selects.
        there = (exchanged.image_index[:, None] == own.image_index).float().argmax(dim=1)
        selected, other = branch.select(own)[there], branch.select(exchanged)
        candidates, region = own.inside[there], own.encoded.region
        region = None if region is None else region[there]
        shares = [measure_target_share(one, candidates, target[there], region) for one in (selected, other)]
        found = dict(target=shares[0].target_share, target_exchanged=shares[1].target_share)
    else:
        selected, other = branch.select(own), branch.select(exchanged)
        candidates, found = word_positions(own.encoded.text.token_mask), {}
    selected, other, candidates = (mask.flatten(1) for mask in (selected, other, candidates))
    count = selected.sum(dim=1)
    return dict(selected=count / candidates.sum(dim=1), kept=(selected & other).sum(dim=1) / count, **found)


def _mean(values: Sequence[Tensor]) -> float:
    return torch.cat(tuple(values)).nanmean().item()
