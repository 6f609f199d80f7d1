"""A Swin transformer of MMPretrain as an image tower."""

from typing import Any, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmris.checkpoints import load_published, read_published
from mmris.checkpoints.published import SWIN
from mmris.registry import MODELS
from mmris.structures import ImageEmbeddings, ImageFeatures
from mmris.zoo import TOWERS

from .image_tower import ImageTower, check_tap_numbers, check_taps, recompute


@MODELS.register_module()
class SwinTower(ImageTower):
    """MMPretrain's Swin transformer (Liu et al., ICCV 2021) as the image half of an encoder.

    Cells are the patch embedding at a quarter of the input, before the first stage; its position is relative, inside
    the attention. Swin knows no sentence, so it has no space in common with one: a learned projection of its last
    stage stands for it, and the mean of the patches that hold image for the whole image. The projected patches are the
    last stage given on, so that the projection learns with all that follows.

    Args:
        swin (dict): Arguments of MMPretrain's ``SwinTransformer``: ``arch``, ``img_size``, ``stage_cfgs`` and so on.
        joint_channels (int): Width of the joint space, that of the text's.
        pretrained (str, optional): A checkpoint of MMPretrain, of which the ``backbone`` is taken, or of a model
            trained here: a file, an address or a work folder. Loaded by :meth:`load_pretrained`, so when the encoder
            is initialised. Defaults to None: from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Defaults to
            False.
        taps (Sequence[int]): Stages, 1 to 4, that are given on; the last is 4. Defaults to (2, 3, 4).
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ImportError: If MMPretrain cannot be imported.
        ValueError: If ``taps`` are no whole numbers, do not increase or do not end at the last stage.
        ValueError: If the Swin adds absolute positions, or gives its stages after downsampling.
    """

    def __init__(self,
                 *,
                 swin: dict,
                 joint_channels: int,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 taps: Sequence[int] = (2, 3, 4),
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        check_tap_numbers(type(self).__name__, taps)
        self.swin = _build_swin(**swin, out_indices=[tap - 1 for tap in taps])
        if self.swin.use_abs_pos_embed or self.swin.out_after_downsample:
            raise ValueError('SwinTower takes a Swin with use_abs_pos_embed=False and out_after_downsample=False.')
        self.taps = tuple(taps)
        check_taps(type(self).__name__, self.taps, len(self.swin.stages))
        self.pretrained = pretrained
        self.trust_pretrained = trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        self.projection = nn.Conv2d(self.swin.num_features[-1], joint_channels, 1, bias=False)
        self.cell_channels = self.swin.embed_dims
        side = self.swin.patch_embed.projection.stride[0] * 2**(len(self.swin.stages) - 1)
        self.stride = (side, side)

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: What ``pretrained``, if set, fills: not the projection, and of the stages' norms the last."""
        last = f'norm{len(self.swin.stages) - 1}'
        return () if self.pretrained is None else ('swin.patch_embed', 'swin.stages', f'swin.{last}')

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError, ValueError: If the file is missing or cannot be read.
            RuntimeError: If it holds no such Swin.
        """
        if self.pretrained is None:
            return
        trust_option = 'trust_pretrained=True of the image tower'
        load_published(
            self, SWIN,
            read_published(
                SWIN, self.pretrained, trust=self.trust_pretrained, trust_option=trust_option, kind=TOWERS))

    def stem(self, pixels: Tensor) -> Tensor:
        cells, size = self.swin.patch_embed(pixels)
        return cells.transpose(1, 2).unflatten(2, size)

    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        size = embeddings.cells.shape[-2:]
        cells, stages = self.swin.drop_after_pos(embeddings.cells.flatten(2).transpose(1, 2)), []
        for number, stage in enumerate(self.swin.stages, 1):
            for block in stage.blocks:
                cells = recompute(block, cells, size) if self.activation_checkpointing else block(cells, size)
            if number in self.taps:
                normed = getattr(self.swin, f'norm{number - 1}')(cells)
                stages.append(normed.transpose(1, 2).unflatten(2, size))
            if stage.downsample is not None:
                cells, size = stage.downsample(cells, size)
        joint = self.projection(stages.pop())
        patches = joint.flatten(2).transpose(1, 2)
        inside = embeddings.inside.flatten(1).float()
        weights = (inside / inside.sum(dim=1, keepdim=True).clamp(min=1)).to(patches.dtype)
        return ImageFeatures(
            stages=(*stages, joint), patches=patches, image_global=torch.einsum('mn,mnd->md', weights, patches))


def _build_swin(**arguments: Any) -> nn.Module:
    try:
        # Long to import, and no other part needs it.
        from mmpretrain.models import SwinTransformer
        from mmpretrain.models.utils import WindowMSA
    except Exception as error:
        raise ImportError(
            f'SwinTower needs MMPretrain (onedl-mmpretrain), which cannot be imported: {error!r}. If transformers is '
            f'installed, it must be below version 5.') from error
    # Its constructor reads values of tensors, which a model built on the meta device has not.
    with torch.device('cpu'):
        swin = SwinTransformer(**arguments)
    for module in swin.modules():
        if isinstance(module, WindowMSA):
            module.register_forward_pre_hook(_cast_mask, with_kwargs=True)
    # Without content they are on no device that they could be moved from.
    device = torch.get_default_device()
    return swin if device.type == 'cpu' else swin.to(device)


def _cast_mask(module: nn.Module, inputs: tuple, options: dict) -> Tuple[tuple, dict]:
    """MMPretrain adds a mask of float32 to attention of any dtype, which then does not fit to the values."""
    mask = options.get('mask')
    return inputs, options if mask is None else dict(options, mask=mask.to(inputs[0].dtype))
