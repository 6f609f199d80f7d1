"""SAM (Kirillov et al., ICCV 2023) and SAM 2 (Ravi et al., 2024): released checkpoints.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/evf_sam: image tower, mask decoder,
and the two vectors of the prompt encoder that a prompt of one token needs.
"""

from typing import Any, Dict, Mapping, Optional, Tuple

from torch import Tensor

from . import sam, sam2
from .model import Layout, PublishedModel, PublishedWeights
from .sam import HEAD, TOWER

_VIT, _HIERA = 'vit', 'hiera'
# By the kind of tower, its layers and its channels (SAM 2: of all stages, and of the first).
_SIZES: Dict[Tuple[str, int, int], str] = {
    (_VIT, 12, 768): 'base',
    (_VIT, 24, 1024): 'large',
    (_VIT, 32, 1280): 'huge',
    (_HIERA, 12, 96): 'tiny',
    (_HIERA, 16, 96): 'small',
    (_HIERA, 24, 112): 'base_plus',
    (_HIERA, 48, 144): 'large',
}
_TITLES = {_VIT: 'SAM', _HIERA: 'SAM 2'}


def _measure(tower: Mapping[str, Tensor]) -> Optional[Tuple[str, int, int]]:
    """Kind, layers and channels of an image tower by its weights; None if they are not whole."""
    for kind, dimension in ((_VIT, 3), (_HIERA, 1)):
        positions = tower.get(f'{kind}.pos_embed')
        if positions is not None and positions.dim() == 4:
            layers = {key.split('.')[2] for key in tower if key.startswith(f'{kind}.blocks.')}
            return kind, len(layers), positions.size(dimension)
    return None


def _name(measures: Tuple[str, int, int]) -> str:
    kind, layers, channels = measures
    known = _SIZES.get(measures)
    return f'{_TITLES[kind]}, {known or "of no published size"}: layers {layers}, channels {channels}'


def _describe(weights: PublishedWeights) -> str:
    measures = _measure(weights.part(TOWER))
    if measures is None or not weights.part(HEAD):
        raise ValueError(f'{weights.source} does not hold a whole SAM.')
    return _name(measures)


def _advise(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], _: Any) -> str:
    """Say of which tower weights are, if a tower of another kind or size was to get them."""
    found, wanted = _measure(state), _measure(expected)
    if found is None or wanted is None or found == wanted:
        return ''
    tower = 'SAM2Tower' if found[0] == _HIERA else 'SAMTower'
    known = _SIZES.get(found)
    return f'It is of {_name(found)}' + (f': set type={tower!r}, architecture={known!r}.' if known else '.')


SAM = PublishedModel(
    name='sam',
    title='SAM',
    layouts=(
        Layout(
            name='sam',
            key_map=sam.KEY_MAP,
            matches=lambda state: any(key.startswith('image_encoder.blocks.') for key in state),
            # Its code reads files of torch.save with nothing around the weights.
            suffixes=('.pth', )),
        Layout(
            name='sam2',
            key_map=sam2.KEY_MAP,
            matches=lambda state: any(key.startswith('image_encoder.trunk.') for key in state),
            suffixes=('.pt', '.pth'),
            entry='model'),
    ),
    matches_ours=lambda state: any(key.startswith((f'{TOWER}{_VIT}.', f'{TOWER}{_HIERA}.')) for key in state),
    core=tuple((f'{TOWER}{kind}.pos_embed', f'{HEAD}mask_tokens') for kind in _TITLES),
    describe=_describe,
    root='',
    parts=(TOWER, HEAD, 'neck.no_mask'),
    # Of an EVF-SAM that was trained here.
    ignored=('encoder.joint.', 'neck.projection.'),
    advise=_advise)
