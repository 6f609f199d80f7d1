"""SAM 2's mask decoder as a head: what is computed for which mask, what is trained, what is refused."""

from dataclasses import replace

import pytest
import torch

from mmris.models.heads import SAM2MaskHead
from mmris.models.necks import PromptNeck
from mmris.structures import FusedFeatures, SharedRows
from tests.parity.test_segment_anything import encoded

CHANNELS, INDEX = 32, (0, 1, 1, 0, 1)


def head_of(mask: str) -> SAM2MaskHead:
    torch.manual_seed(0)
    return SAM2MaskHead(channels=CHANNELS, num_heads=4, feedforward_channels=40, mask=mask)


def prompted() -> FusedFeatures:
    torch.manual_seed(1)
    maps = tuple(torch.randn(2, *shape) for shape in ((4, 16, 24), (8, 8, 12), (CHANNELS, 4, 6)))
    given = encoded(maps[-1], torch.tensor(INDEX))
    neck = PromptNeck(in_channels=20, channels=CHANNELS)
    return neck(replace(given, maps=SharedRows(maps, given.maps.index)))


def without_gradients(fused: FusedFeatures) -> FusedFeatures:
    return fused.map(torch.Tensor.detach)


def calls_of(head: SAM2MaskHead) -> set:
    """The names of the MLPs that are called, as they are."""
    called = set()
    for name in ('mask_mlps.0', 'mask_mlps.1', 'mask_mlps.2', 'mask_mlps.3', 'quality_mlp', 'object_mlp'):
        head.get_submodule(name).register_forward_hook(lambda *_, name=name: called.add(name))
    return called


OTHERS = {'mask_mlps.1', 'mask_mlps.2', 'mask_mlps.3', 'quality_mlp'}


@pytest.mark.parametrize('mask, training, expected', [
    ('first', True, {'mask_mlps.0'}),
    ('first', False, {'mask_mlps.0'}),
    ('best', True, OTHERS),
    ('best', False, OTHERS),
    ('stable', True, {'mask_mlps.0'}),
    ('stable', False, {'mask_mlps.0', *OTHERS}),
])
def test_nothing_is_computed_of_masks_that_are_not_needed(mask, training, expected):
    head, fused = head_of(mask).train(training), without_gradients(prompted())
    called = calls_of(head)
    assert head(fused).shape == (5, 1, 16, 24)
    assert called == expected


@pytest.mark.parametrize('mask', ['first', 'stable'])
def test_what_gets_a_gradient(mask):
    """All but the other masks, the quality and the object."""
    head = head_of(mask)
    head(prompted()).square().sum().backward()
    idle = ('mask_mlps.1.', 'mask_mlps.2.', 'mask_mlps.3.', 'quality_mlp.', 'object_mlp.')
    for name, value in head.named_parameters():
        assert (value.grad is None) == name.startswith(idle), name


def test_what_gets_a_gradient_of_the_best_mask():
    """The MLPs of masks that are the best of some sentence; a choice has no gradient."""
    head = head_of('best')
    quality, _, _ = head.attend(prompted())
    chosen = {int(one) for one in 1 + head.quality_mlp(quality)[:, 1:].argmax(dim=1)}
    head(prompted()).square().sum().backward()
    for name, value in head.named_parameters():
        if name.startswith('mask_mlps.') and not name.startswith('mask_mlps.0.'):
            assert value.grad.any() == (int(name.split('.')[1]) in chosen), name
        else:
            assert (value.grad is None) == name.startswith(('mask_mlps.0.', 'quality_mlp.', 'object_mlp.')), name


def test_a_frozen_head_hands_gradients_on():
    head, fused = head_of('best').requires_grad_(False).eval(), prompted()
    fused.sentence.retain_grad()
    head(fused).square().sum().backward()
    assert fused.sentence.grad.any(dim=1).all() and all(value.grad is None for value in head.parameters())


def test_finer_maps_are_one_row_an_image():
    """Each sentence gets those of its image."""
    head, fused = head_of('first').eval(), without_gradients(prompted())
    together = head(fused)
    for row, image in enumerate(INDEX):
        maps = SharedRows(tuple(one[image][None] for one in fused.maps.values), torch.tensor([0]))
        alone = head(replace(fused, sentence=fused.sentence[row][None], maps=maps))
        assert torch.allclose(alone[0], together[row], atol=1e-5)
    assert len(fused.maps.values[0]) == 2


@pytest.mark.parametrize('mask', ['first', 'best', 'stable'])
def test_half_precision(mask):
    head, fused = head_of(mask).eval(), without_gradients(prompted())
    with torch.no_grad():
        found = head.bfloat16()(fused.map(lambda one: one.bfloat16() if one.is_floating_point() else one))
    assert found.dtype == torch.bfloat16 and found.isfinite().all()
    assert head.positions.directions.dtype == torch.float32


def test_published_size():
    """Of 4.22M, 0.02M that narrow the finer maps are the tower's."""
    with torch.device('meta'):
        head = SAM2MaskHead(mask='best')
    assert sum(value.numel() for value in head.parameters()) / 1e6 == pytest.approx(4.22 - 0.025, abs=0.005)


@pytest.mark.parametrize('settings, message', [
    (dict(mask='last'), "mask of SAM2MaskHead must be one of first, best, stable, but got 'last'"),
    (dict(mask='best', num_masks=1), "mask='best' of SAM2MaskHead chooses among the masks after the first, but num_"),
    (dict(mask='first', channels=12), 'channels of SAM2MaskHead must be divisible by 8, but got 12'),
])
def test_arguments_that_are_none(settings, message):
    with pytest.raises(ValueError, match=message):
        SAM2MaskHead(**settings)


def test_inputs_that_do_not_fit():
    head, fused = head_of('first'), prompted()
    with pytest.raises(ValueError, match='SAM2MaskHead takes a prompt and the maps of an image, but the neck hands on'):
        head(replace(fused, maps=None))
    message = (r'SAM2MaskHead takes two finer maps beside the deepest .channels, height, width., of '
               r'\[\(4, 16, 24\), \(8, 8, 12\)\], but got {}: take SAM2Tower, with out_channels=32, as the segmenter')
    with pytest.raises(ValueError, match=message.format(r'\[\]')):
        head(replace(fused, maps=replace(fused.maps, values=fused.maps.values[-1:])))
    with pytest.raises(ValueError, match=message.format(r'\[\(8, 8, 12\), \(4, 16, 24\)\]')):
        head(replace(fused, maps=replace(fused.maps, values=[fused.maps.values[place] for place in (1, 0, 2)])))
