"""SAM's image encoder as a tower of its own."""

from functools import partial
from typing import Any, Dict, Optional, Tuple, Union

from timm.layers import resample_abs_pos_embed_nhwc
from timm.models.vision_transformer_sam import VisionTransformerSAM
from torch import Tensor, nn

from mmris.registry import MODELS

from ...layers import patch_grid
from ...published_part import PublishedPart
from .image_tower import recompute
from .measures import complete_measures

_PUBLISHED = dict(patch_size=16, image_size=1024, window_size=14, out_channels=256)
# SAM's sizes as they were published. Layers are counted from 1.
SAM_ARCHITECTURES: Dict[str, Dict[str, Any]] = dict(
    base=dict(layers=12, channels=768, heads=12, global_layers=(3, 6, 9, 12), **_PUBLISHED),
    large=dict(layers=24, channels=1024, heads=16, global_layers=(6, 12, 18, 24), **_PUBLISHED),
    huge=dict(layers=32, channels=1280, heads=16, global_layers=(8, 16, 24, 32), **_PUBLISHED))


@MODELS.register_module()
class SAMTower(PublishedPart):
    """The image encoder of SAM 1 (Kirillov et al., Segment Anything, ICCV 2023), out of timm's modules.

    A ViT whose layers attend inside of windows, but for a few that attend to the whole image, with decomposed relative
    positions in all; then a neck of two convolutions. It sees no sentence, so its maps belong to an image, whatever is
    asked about it.

    Positions are resized if the input is not as large as the one that the weights were trained at.

    Args:
        architecture (str or dict): ``'base'``, ``'large'``, ``'huge'``, or a dict of ``layers``, ``channels``,
            ``heads``, ``global_layers`` (layers, counted from 1, that attend to the whole image), ``patch_size``,
            ``image_size`` (pixels that the positions are made for), ``window_size`` (in patches) and ``out_channels``.
            Left out, they are those of its ``name``, by default base's.
        pretrained (str, optional): Weights of SAM 1, as they are published or converted: a file, an address, or the
            work folder of a training here. The tower is taken. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        activation_checkpointing (bool): Keep no activations inside the layers, and compute them again in the backward
            pass: less memory, more time, the same gradients. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        out_channels (tuple[int]): Width of each map.
        stride (tuple[int, int]): Height and width of a cell of the last map, in pixels; inputs are multiples of it.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
    """

    published_as = 'encoder.segmenter.'

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(pretrained=pretrained, trust_pretrained=trust_pretrained, init_cfg=init_cfg)
        self.architecture = complete_architecture(architecture)
        self.activation_checkpointing = activation_checkpointing
        sizes = self.architecture
        self.out_channels = (sizes['out_channels'], )
        self.stride = (sizes['patch_size'], ) * 2
        self.vit = VisionTransformerSAM(
            img_size=sizes['image_size'],
            patch_size=sizes['patch_size'],
            embed_dim=sizes['channels'],
            depth=sizes['layers'],
            num_heads=sizes['heads'],
            window_size=sizes['window_size'],
            global_attn_indexes=tuple(number - 1 for number in sizes['global_layers']),
            neck_chans=sizes['out_channels'],
            use_rel_pos=True,
            num_classes=0,
            global_pool='',
            # timm's own default is 1e-5.
            norm_layer=partial(nn.LayerNorm, eps=1e-6))

    def forward(self, pixels: Tensor) -> Tuple[Tensor, ...]:
        """Encode B images.

        Args:
            pixels (Tensor): ``(B, 3, H, W)``, normalised by SAM's mean and standard deviation.

        Returns:
            tuple[Tensor]: Maps from shallow to deep, of SAM 1 just one: ``(B, out_channels, h, w)``.

        Raises:
            ValueError: If height or width is not a multiple of the patch size.
        """
        patch_grid(tuple(pixels.shape[-2:]), self.stride)
        cells = self.vit.patch_embed(pixels)
        cells = cells + resample_abs_pos_embed_nhwc(self.vit.pos_embed, list(cells.shape[1:3]))
        for block in self.vit.blocks:
            cells = recompute(block, cells) if self.activation_checkpointing else block(cells)
        return (self.vit.neck(cells.permute(0, 3, 1, 2)), )


def complete_architecture(architecture: Union[str, dict]) -> Dict[str, Any]:
    """Give all measures of an architecture of SAM.

    Args:
        architecture (str or dict): See :class:`SAMTower`.

    Returns:
        dict: Each measure by name: whole numbers, and ``global_layers``, a tuple of these.

    Raises:
        ValueError: If it is unknown, has unknown entries, or numbers that do not go together.
    """
    return complete_measures(
        architecture,
        SAM_ARCHITECTURES,
        title='SAM',
        default='base',
        multiples=(('channels', 'heads'), ('image_size', 'patch_size')))
