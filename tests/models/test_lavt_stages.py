"""LAVT's form of decoder and head, against the published steps written out."""

from typing import Any, Dict, List

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmris.models.decoders import LAVTDecoder
from mmris.models.heads import ConvolutionHead
from mmris.structures import FusedFeatures
from tests.conftest import assert_close

WIDTHS, CHANNELS = (6, 8, 10, 12), 7
# Halved, and halved and rounded up.
GRIDS = dict(even=((16, 24), (8, 12), (4, 6), (2, 3)), odd=((13, 9), (7, 5), (4, 3), (2, 2)))


def randomised(module: nn.Module) -> nn.Module:
    """In double precision and evaluation, with no weight or statistic left where it starts."""
    torch.manual_seed(0)
    for name, value in module.double().state_dict().items():
        if value.is_floating_point():
            value.copy_(0.3 * torch.randn_like(value))
            if name.endswith('running_var'):
                value.copy_(value.abs() + 0.5)
    return module.eval()


def fused_of(stages: List[Tensor]) -> FusedFeatures:
    return FusedFeatures(
        pixels=stages[-1], words=torch.zeros(2, 3, 4), sentence=torch.zeros(2, 4),
        token_mask=torch.ones(2, 3, dtype=torch.bool), stages=tuple(stages))


def stages_on(grids: tuple, widths: tuple = WIDTHS) -> List[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, width, *grid, dtype=torch.float64, generator=generator)
            for width, grid in zip(widths, grids)]


def norm(state: Dict[str, Tensor], name: str, pixels: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        state[f'{name}.{part}'].view(1, -1, 1, 1) for part in ('running_mean', 'running_var', 'weight', 'bias'))
    return (pixels - mean) / (variance + 1e-5).sqrt() * weight + bias


def corners_aligned(pixels: Tensor, size: tuple) -> Tensor:
    """Bilinear, one axis after the other, corners in place."""
    for dim, length in zip((2, 3), size):
        place = torch.arange(length, dtype=pixels.dtype) * (pixels.size(dim) - 1) / (length - 1)
        low = place.floor().long().clamp(max=pixels.size(dim) - 2)
        share = (place - low).view(-1, *[1] * (3 - dim))
        pixels = (1 - share) * pixels.index_select(dim, low) + share * pixels.index_select(dim, low + 1)
    return pixels


class TestDecoder:

    @pytest.mark.parametrize('grids', GRIDS.values(), ids=GRIDS)
    def test_against_the_plain_one(self, grids):
        module, stages = randomised(LAVTDecoder(in_channels=WIDTHS, channels=CHANNELS, form='lavt')), stages_on(grids)
        state, decoded = module.state_dict(), stages[3]
        for number in (2, 1, 0):
            pixels = torch.cat((corners_aligned(decoded, grids[number]), stages[number]), dim=1)
            for layer in (0, 3):
                pixels = F.conv2d(pixels, state[f'blocks.{number}.{layer}.weight'], padding=1)
                pixels = norm(state, f'blocks.{number}.{layer + 1}', pixels).clamp(min=0)
            decoded = pixels
        found = module(fused_of(stages))
        assert_close(found.pixels, decoded, 1e-10)
        assert found.stages == () and found.pixels.shape[-2:] == grids[0]

    def test_names(self):
        """No block for the deepest stage, and no bias before a norm."""
        module = LAVTDecoder(in_channels=WIDTHS, channels=CHANNELS, form='lavt')
        shapes = {name: tuple(value.shape) for name, value in module.named_parameters() if value.dim() == 4}
        assert shapes == {
            'blocks.0.0.weight': (7, 13, 3, 3), 'blocks.0.3.weight': (7, 7, 3, 3),
            'blocks.1.0.weight': (7, 15, 3, 3), 'blocks.1.3.weight': (7, 7, 3, 3),
            'blocks.2.0.weight': (7, 22, 3, 3), 'blocks.2.3.weight': (7, 7, 3, 3)}
        others = {name.rpartition('.')[0] for name, value in module.named_parameters() if value.dim() == 1}
        assert others == {f'blocks.{number}.{layer}' for number in range(3) for layer in (1, 4)}

    def test_risclips_keep_their_names(self):
        module = LAVTDecoder(in_channels=WIDTHS, channels=CHANNELS, patch_map=True)
        assert len(module.blocks) == 4 and module.blocks[3][0].weight.shape == (7, 13, 3, 3)
        assert {name.split('.', 2)[2] for name in module.state_dict() if name.startswith('blocks.0.0.')} == {
            '0.weight', '0.bias'}

    @pytest.mark.parametrize('options, message', [
        (dict(form='unet'), "form of LAVTDecoder must be 'risclip' or 'lavt', but got 'unet'"),
        (dict(form='lavt', patch_map=True), "patch_map of LAVTDecoder .* form='lavt' does not have: set patch_map=Fal"),
        (dict(form='lavt', in_channels=(6, )), r'in_channels must name the widths of at least two, but got \(6,\)'),
    ])
    def test_errors(self, options: Dict[str, Any], message):
        with pytest.raises(ValueError, match=message):
            LAVTDecoder(**{'in_channels': WIDTHS, **options})

    def test_other_stages_than_widths(self):
        module = LAVTDecoder(in_channels=WIDTHS, channels=CHANNELS, form='lavt').double()
        with pytest.raises(ValueError, match='LAVTDecoder takes 4 stages, but the neck gave 3'):
            module(fused_of(stages_on(GRIDS['even'])[1:]))


class TestHead:

    def head(self, **options: Any) -> ConvolutionHead:
        torch.manual_seed(2)
        return ConvolutionHead(channels=12, upsample=4, **options).double()

    def test_two_classes_learn_as_under_their_cross_entropy(self):
        """Logits are the difference, and its loss has the gradients of the two classes' loss."""
        module = self.head(two_classes=True, align_corners=True)
        pixels, target = stages_on(GRIDS['even'])[3], torch.rand(2, 8, 12) > 0.5
        logits = module(fused_of([pixels]))
        classes = corners_aligned(module.convolution(pixels), (8, 12))
        assert module.convolution.weight.shape == (2, 12, 1, 1) and logits.shape == (2, 1, 8, 12)
        assert_close(logits[:, 0], classes[:, 1] - classes[:, 0], 1e-12)
        gradients = []
        for loss in (F.binary_cross_entropy_with_logits(logits[:, 0], target.double()),
                     F.cross_entropy(classes, target.long())):
            gradients.append(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))
        for mine, theirs in zip(*gradients):
            assert_close(mine, theirs, 1e-10)

    @pytest.mark.parametrize('align_corners', [False, True])
    def test_upsampling(self, align_corners):
        module, pixels = self.head(align_corners=align_corners), stages_on(GRIDS['even'])[3]
        found = module(fused_of([pixels]))
        aligned = corners_aligned(module.convolution(pixels), (8, 12))
        assert torch.allclose(found, aligned) == align_corners
