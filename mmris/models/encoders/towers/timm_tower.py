"""Any model of timm as an image tower."""

from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Union

from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import ImageEmbeddings, ImageFeatures, ImageInputs

from ...layers import mean_inside
from .image_tower import ImageTower, check_tap_numbers, check_taps, default_taps, recompute_counted
from .timm_form import examine
from .timm_models import blocks_of, build, check_name, check_options, complete_size
from .timm_pretrained import load_timm


@MODELS.register_module()
class TimmTower(ImageTower):
    """A model of timm as the image half of an encoder: plain and hierarchical transformers, and convolutional nets.

    Cells are what the model's stem makes of pixels, before any position is added; stages are timm's
    ``forward_intermediates`` with ``norm=True``, so that the model's last norm is applied to the last stage, and in a
    plain transformer to all. Class token and registers are dropped.

    Such a model knows no sentence, so it has no space in common with one: a learned projection of its last stage
    stands for it, and the mean of the patches that hold image for the whole image. The projected patches are the last
    stage given on, so that the projection learns with all that follows.

    A model takes images of any size that is a multiple of ``stride`` if it has no positions, makes them anew, or
    if timm resizes them; others take the size that they are built for alone. Their statistics are those of
    ``timm.get_pretrained_cfg(model)``: set ``mean`` and ``std`` of the data preprocessor.

    Args:
        model (str): timm's name of it, without a tag, such as ``'vit_base_patch14_reg4_dinov2'``.
        joint_channels (int): Width of the joint space, that of the text's. :class:`CLIPEncoder` gives its own.
        options (dict, optional): Arguments of the model's own, such as ``dict(drop_path_rate=0.1)``. Default: None.
        image_size (int or tuple[int, int], optional): Height and width, in pixels, that a model with positions is
            built for; weights are resized to it when they are loaded. Default: None, those of its weights.
        pretrained (str, optional): Weights that :meth:`load_pretrained` loads: a tag of timm's, such as ``'lvd142m'``,
            which is downloaded; a file or an address in a layout that timm reads, of a Swin also in MMPretrain's; or a
            model trained here, by file or work folder. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        taps (Sequence[int], optional): Stages, counted from 1, that are given on; the last is the last. Default: None,
            of a plain transformer the blocks at a third, two thirds and the end, of others the last three stages.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        out_channels (tuple[int]): Width of each stage given on; of the last, ``joint_channels``.

    Raises:
        ValueError: If timm has no model of that name, or it cannot be a tower; the message has the reason.
        ValueError: If the model does not take ``options``, or is given ``image_size`` and takes any size, or that is no
            size.
        ValueError: If ``taps`` are no whole numbers, do not increase or do not end at the last stage.
    """

    def __init__(self,
                 *,
                 model: str,
                 joint_channels: int,
                 options: Optional[Dict[str, Any]] = None,
                 image_size: Optional[Union[int, Tuple[int, int]]] = None,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        check_name(model)
        check_options({} if options is None else options)
        self.model = model
        self.form = examine(model, dict(options or {}), complete_size(image_size))
        if taps is not None:
            check_tap_numbers(type(self).__name__, taps)
        self.taps = tuple(_default_taps(self.form.strides) if taps is None else taps)
        check_taps(type(self).__name__, self.taps, len(self.form.channels))
        self.pretrained, self.trust_pretrained = pretrained, trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        self.timm = build(model, self.form, self.taps)
        if activation_checkpointing:
            for block in blocks_of(self.timm):
                block.forward = partial(recompute_counted, block, partial(_run_on_copies, block.forward))
        self.projection = nn.Conv2d(self.form.channels[-1], joint_channels, 1, bias=False)
        self.cell_channels = self.form.cell_channels
        self.stride = (self.form.strides[-1], ) * 2
        self.out_channels = (*(self.form.channels[tap - 1] for tap in self.taps[:-1]), joint_channels)

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: What ``pretrained``, if set, fills: all but the projection."""
        return () if self.pretrained is None else ('timm', )

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError, ValueError: If it is neither a tag of the model nor a file, or cannot be read.
            ConnectionError: If a tag cannot be downloaded.
            RuntimeError: If it holds another model.
        """
        if self.pretrained is not None:
            load_timm(self.timm, self.model, self.form, self.pretrained, trust=self.trust_pretrained)

    def embed(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images.

        Raises:
            ValueError: If height or width is not a multiple of the stride, or the model takes another size alone.
        """
        size, only = tuple(images.pixels.shape[-2:]), self.form.size
        if only not in (None, size):
            raise ValueError(
                f'The input is {size[0]} x {size[1]} pixels (height x width), but {self.model} of timm was built for '
                f'{only[0]} x {only[1]}. Set image_size={size} of TimmTower, or change the size of the Letterbox or '
                f'Resize transform.')
        return super().embed(images)

    def stem(self, pixels: Tensor) -> Tensor:
        grid = tuple(length // side for length, side in zip(pixels.shape[-2:], self.form.cell))
        return self.timm.get_submodule(self.form.stem).read(pixels, grid)

    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        stages = self.timm.forward_intermediates(
            embeddings.cells, indices=[tap - 1 for tap in self.taps], norm=self.form.norm, intermediates_only=True)
        joint = self.projection(stages[-1])
        patches = joint.flatten(2).transpose(1, 2)
        return ImageFeatures(
            stages=(*stages[:-1], joint), patches=patches, image_global=mean_inside(patches, embeddings.inside))


def _run_on_copies(forward: Callable, *inputs: Any, **options: Any) -> Any:
    """Run a block on copies of lists: HRNet's write into theirs, which are needed again in the backward pass."""
    return forward(*(list(one) if isinstance(one, list) else one for one in inputs), **options)


def _default_taps(strides: Sequence[int]) -> Tuple[int, ...]:
    depth = len(strides)
    taps = default_taps(depth)
    return taps if len(set(strides)) == 1 else (depth - 2, depth - 1, depth)
