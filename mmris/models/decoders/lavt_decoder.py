"""A convolutional decoder over several depths of an encoder, in the manner of LAVT."""

from dataclasses import replace
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import check_width, cosine_map


@MODELS.register_module()
class LAVTDecoder(BaseModule):
    r"""From the deepest stage to the shallowest, each joined by what came of the deeper one (LAVT, CVPR 2022).

    With v_1 to v_n the stages from shallow to deep, u bilinear upsampling and D_i two 3x3 convolutions, ``form`` says
    which decoder it is:

    ============= ==================================== ========================================
    \             ``'risclip'``                        ``'lavt'``, the published code
    ============= ==================================== ========================================
    D_i           twice convolution, ReLU, BatchNorm   twice convolution without bias,
                                                       BatchNorm, ReLU
    the deepest   ``d_n = D_n([v_n; map])``            ``d_n = v_n``, so there is no D_n
    others        ``d_i = D_i([u(d_i+1); u(v_i)])``    ``d_i = D_i([u(d_i+1); v_i])``
    grid of d_i   twice that of ``d_i+1``              that of ``v_i``
    u             corners not aligned                  corners aligned
    ============= ==================================== ========================================

    The map is the cosine of each pixel with the sentence, where ``patch_map`` wants it. RISCLIP doubles the last output
    too; that is left to the head (:class:`~mmris.models.heads.ConvolutionHead` with ``upsample=2``), which does so with
    one channel. So is LAVT's enlargement of the last output to the input.

    Nothing here reads the words. Where the stages have not seen the sentence, as those of two towers
    (:class:`~mmris.models.encoders.CLIPEncoder`, :class:`~mmris.models.encoders.RISCLIPEncoder` without CFE), it enters
    by the patch map, or the head must read it: with neither, a model segments the same for every sentence.

    Args:
        in_channels (Sequence[int]): Widths of the stages, from shallow to deep.
        channels (int): Width of all D_i. Defaults to 768.
        form (str): ``'risclip'`` or ``'lavt'``. Default: ``'risclip'``.
        patch_map (bool): Whether the deepest stage is joined by the cosine map of ``FusedFeatures``' pixels and
            sentence, in RISCLIP's form. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``form`` is unknown, or ``in_channels`` is empty, or has one width alone in LAVT's form.
        ValueError: If LAVT's form is to have a patch map.
    """

    def __init__(self,
                 *,
                 in_channels: Sequence[int],
                 channels: int = 768,
                 form: str = 'risclip',
                 patch_map: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        _check_options(in_channels, form, patch_map)
        self.in_channels = tuple(in_channels)
        self.form, self.patch_map = form, patch_map
        if form == 'lavt':
            deeper = [*[channels] * (len(in_channels) - 2), in_channels[-1]]
            layers = _conv_bn_relu
        else:
            deeper = [channels] * (len(in_channels) - 1) + [int(patch_map)]
            layers = _conv_relu_bn
        # In LAVT's form the deepest stage, the last of the widths, has none.
        self.blocks = nn.ModuleList(
            nn.Sequential(*layers(width + extra, channels), *layers(channels, channels))
            for width, extra in zip(in_channels, deeper))

    def forward(self, fused: FusedFeatures) -> FusedFeatures:
        """Decode.

        Args:
            fused (FusedFeatures): With its ``stages``; with a patch map, its pixels lie on the deepest stage's grid,
                in one space with the sentence.

        Returns:
            FusedFeatures: In RISCLIP's form pixels ``(P, channels, 2^(n-1) h, 2^(n-1) w)`` for n stages, the deepest of
            h x w cells; in LAVT's on the grid of the shallowest stage. All else as it was, without the stages.

        Raises:
            ValueError: If there are more or fewer stages than widths, or they have others.
            ValueError: If the pixels of the patch map lie on another grid than the deepest stage.
        """
        stages = fused.stages
        if len(stages) != len(self.in_channels):
            raise ValueError(
                f'LAVTDecoder takes {len(self.in_channels)} stages, but the neck gave {len(stages)}: set taps of the '
                f'encoder, and with_stages=True of JointSpaceNeck.')
        widths = tuple(stage.size(1) for stage in stages)
        check_width('LAVTDecoder', 'in_channels', self.in_channels, of='the stages', found=widths)
        *shallower, deepest = stages
        decoded = deepest if self.form == 'lavt' else self.blocks[-1](self._with_map(deepest, fused))
        for block, stage in zip(reversed(self.blocks[:len(shallower)]), reversed(shallower)):
            doubled = tuple(2 * length for length in decoded.shape[-2:])
            grid = tuple(stage.shape[-2:]) if self.form == 'lavt' else doubled
            decoded = block(torch.cat((self._to_grid(decoded, grid), self._to_grid(stage, grid)), dim=1))
        return replace(fused, pixels=decoded, stages=())

    def _with_map(self, deepest: Tensor, fused: FusedFeatures) -> Tensor:
        if not self.patch_map:
            return deepest
        if deepest.shape[-2:] != fused.pixels.shape[-2:]:
            raise ValueError(
                f'The patch map of LAVTDecoder lies on {" x ".join(map(str, fused.pixels.shape[-2:]))} cells, the '
                f'deepest stage on {" x ".join(map(str, deepest.shape[-2:]))}: take an encoder whose patches are those '
                f'of its last stage.')
        return torch.cat((deepest, cosine_map(fused.pixels, fused.sentence).to(deepest.dtype)), dim=1)

    def _to_grid(self, stage: Tensor, grid: Tuple[int, int]) -> Tensor:
        if tuple(stage.shape[-2:]) == grid:
            return stage
        return F.interpolate(stage, size=grid, mode='bilinear', align_corners=self.form == 'lavt')


def _conv_relu_bn(in_channels: int, out_channels: int) -> Sequence[nn.Module]:
    # With a bias: after a ReLU, BatchNorm does not stand for it.
    return nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(out_channels)


def _conv_bn_relu(in_channels: int, out_channels: int) -> Sequence[nn.Module]:
    return (nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True))


def _check_options(in_channels: Sequence[int], form: str, patch_map: bool) -> None:
    if form not in ('risclip', 'lavt'):
        raise ValueError(f"form of LAVTDecoder must be 'risclip' or 'lavt', but got {form!r}.")
    if not in_channels:
        raise ValueError('in_channels of LAVTDecoder must name the width of at least one stage, but is empty.')
    if form == 'lavt' and len(in_channels) < 2:
        raise ValueError(f"LAVTDecoder(form='lavt') joins stages, so in_channels must name the widths of at least two, "
                         f'but got {tuple(in_channels)}.')
    if form == 'lavt' and patch_map:
        raise ValueError("patch_map of LAVTDecoder joins the deepest stage before its block, which form='lavt' does "
                         "not have: set patch_map=False, or form='risclip'.")
