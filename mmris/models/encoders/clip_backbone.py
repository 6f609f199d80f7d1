"""CLIP's image tower as a backbone for other projects."""

from typing import Optional, Sequence, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import ImageInputs

from .clip_image import CLIPImageHalf, build_towers, load_towers


@MODELS.register_module()
class CLIPBackbone(CLIPImageHalf, BaseModule):
    """CLIP's image tower alone, as a backbone of other OpenMMLab projects: pixels in, a tuple of maps out.

    The same tower as :class:`CLIPEncoder`'s, which see for ``architecture``, ``pretrained`` and ``taps``. CLIP wants
    RGB of mean 122.77, 116.75, 104.09 and standard deviation 68.50, 66.63, 70.32.

    Args:
        architecture (str or dict): An open_clip model name, or a dict in the form of open_clip's model configs.
        pretrained (str, optional): An open_clip tag or a checkpoint file, loaded by :meth:`init_weights`. Defaults
            to None: from scratch.
        taps (Sequence[int], optional): Blocks after which a stage is taken. Defaults to those at a third, two thirds
            and the end.
        activation_checkpointing (bool): Compute activations again in the backward pass. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is no open_clip model, or its image tower is not a plain ViT.
        ValueError: If ``taps`` are not increasing or do not end at the last block.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 taps: Optional[Sequence[int]] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        self.take_image_tower(build_towers(architecture).visual, taps, architecture)
        self.visual.transformer.grad_checkpointing = activation_checkpointing

    def init_weights(self) -> None:
        """Initialise, then load ``pretrained``: see :class:`CLIPEncoder`."""
        super().init_weights()
        if self.pretrained is not None:
            towers = load_towers(self.architecture, self.pretrained)
            self.visual.load_state_dict(towers.visual.state_dict())

    def forward(self, pixels: Tensor) -> Tuple[Tensor, ...]:
        """Encode images.

        Args:
            pixels (Tensor): ``(B, 3, H, W)`` normalised RGB.

        Returns:
            tuple[Tensor]: A stage for each tap, on the grid of patches: ``(B, width, h, w)``, and of the last block,
            projected to the joint space, ``(B, embed_dim, h, w)``.

        Raises:
            ValueError: If height or width is not a multiple of the patch size.
        """
        height, width = pixels.shape[-2:]
        box = pixels.new_tensor((0, 0, width, height)).expand(pixels.size(0), -1)
        return self.encode_image(self.embed_image(ImageInputs(pixels=pixels, box=box))).stages
