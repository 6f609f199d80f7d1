"""CLIP's image tower as a backbone for other projects."""

from typing import Optional, Sequence, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import ImageInputs

from .towers import build_clip, build_image_tower, load_clip


@MODELS.register_module()
class CLIPBackbone(BaseModule):
    """CLIP's image tower alone, as a backbone of other OpenMMLab projects: pixels in, a tuple of maps out.

    The same tower as :class:`CLIPEncoder`'s, which see for what the arguments mean. CLIP wants RGB of mean 122.77,
    116.75, 104.09 and standard deviation 68.50, 66.63, 70.32.

    Args:
        architecture (str or dict): An open_clip model name, or a dict in the form of open_clip's model configs.
        pretrained (str, optional): An open_clip tag, a file or a folder, loaded by :meth:`init_weights`. Defaults to
            None: from scratch.
        quick_gelu (bool, optional): Whether a ViT uses QuickGELU. Defaults to None: as ``pretrained`` tells.
        trust_pretrained (bool): Also read a file that holds more than tensors. Defaults to False.
        taps (Sequence[int], optional): Blocks of a ViT or layers of a ResNet after which a stage is taken.
        activation_checkpointing (bool): Compute activations again in the backward pass. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is no open_clip model, contradicts ``quick_gelu``, or has an image tower that
            is neither a plain ViT nor a ResNet.
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last block.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 quick_gelu: Optional[bool] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        self.trust_pretrained = trust_pretrained
        clip, self.quick_gelu = build_clip(architecture, quick_gelu)
        self.image = build_image_tower(
            clip.visual,
            architecture,
            taps=taps,
            quick_gelu=self.quick_gelu,
            activation_checkpointing=activation_checkpointing)

    def init_weights(self) -> None:
        """Initialise, then load ``pretrained``: see :class:`CLIPEncoder`."""
        super().init_weights()
        if self.pretrained is not None:
            load_clip(
                dict(image=self.image),
                self.pretrained,
                self.architecture,
                quick_gelu=self.quick_gelu,
                trust=self.trust_pretrained)

    def forward(self, pixels: Tensor) -> Tuple[Tensor, ...]:
        """Encode images.

        Args:
            pixels (Tensor): ``(B, 3, H, W)`` normalised RGB.

        Returns:
            tuple[Tensor]: A stage for each tap: of a ViT ``(B, width, h, w)`` on the grid of patches, of a ResNet on
            a grid for each layer; the last in the joint space's width, ``(B, embed_dim, h, w)``.

        Raises:
            ValueError: If height or width is not a multiple of the patch size, or of 32 for a ResNet.
        """
        height, width = pixels.shape[-2:]
        box = pixels.new_tensor((0, 0, width, height)).expand(pixels.size(0), -1)
        return self.image.encode(self.image.embed(ImageInputs(pixels=pixels, box=box))).stages
