"""Masks, image and language in one transformer: the encoder of MaIL, in the form of ViLT."""

from dataclasses import dataclass, replace
from functools import partial
from typing import List, Optional, Sequence, Tuple, Union

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mmris.checkpoints.published.vilt import ARCHITECTURES, VILT
from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ImageEmbeddings,
    ImageInputs,
    InstanceEmbeddings,
    InstanceFeatures,
    InstanceMasks,
    SharedRows,
    TensorStructure,
    TextEmbeddings,
)

from ..layers import mask_coverage, resize_positions
from .joint import JointEncoder

# Rows of the tables of types.
TEXT, IMAGE = 0, 1


@dataclass(frozen=True)
class TrimodalImage(TensorStructure):
    """Images, and the instances found on them, as they enter the sequence.

    Attributes:
        tokens (Tensor): ``(M, K + 1 + N, C)``, instances, class token, patches.
        visible (Tensor): ``(M, K + 1 + N)`` bool, true on tokens that others may look at.
        inside (Tensor): ``(M, h, w)`` bool, as of :class:`ImageEmbeddings`.
        found (InstanceMasks, optional): M rows, where the encoder takes instance masks in.
    """

    tokens: Tensor
    visible: Tensor
    inside: Tensor
    found: Optional[InstanceMasks]


@MODELS.register_module()
class TrimodalEncoder(JointEncoder):
    """A transformer over instance masks, image and words as one sequence: a reconstruction of MaIL's encoder.

    MaIL (Li et al., "A Unified Mask-Image-Language Trimodal Network", 2021) has no published code, and its method
    section was not at hand. This is ViLT (Kim et al., ICML 2021), whose weights it loads and whose features of words
    and image it has where there are no masks, with a token more for each instance mask: the mean of the patches'
    embeddings, each weighted by how much of it the mask covers, plus a linear map of the instance's place, plus a type
    of its own. All modalities share each layer: one softmax goes over all tokens, but not over padding, absent
    instances, and patches that lie wholly in the letterbox border, as ViLT leaves out padded pixels.

    Positions of the image are resized to the input's grid (bilinear, corners aligned, as ViLT does). Nothing marks the
    order of instances: another order gives the same features. The joint space is the last stage itself.

    Args:
        architecture (str or dict): ``'base'``, or a dict of ``layers``, ``channels``, ``heads``,
            ``feedforward_channels``, ``patch_size``, ``image_size`` (pixels that the positions are made for),
            ``vocabulary`` and ``text_positions``. Left out, they are those of its ``name``, by default base's: 12, 768,
            12, four times ``channels``, 32, 384, 30522 and 40.
        masks (bool): Whether instance masks enter, which then must come with each batch. If not, the encoder is ViLT,
            and those that a pipeline loads are not looked at. Defaults to True.
        pretrained (str, optional): A file or an address of weights, as ViLT or Hugging Face publish them or converted,
            which :meth:`init_weights` loads. The type of masks begins as a copy of the image's. Defaults to None: from
            scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Defaults to
            False.
        taps (Sequence[int], optional): Layers, counted from 1, after which a stage is taken; the last is the last
            layer, and goes through the final LayerNorm. Defaults to None: at each quarter.
        activation_checkpointing (bool): Keep no activations inside the layers, and compute them again in the backward
            pass: less memory, more time, the same gradients. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last layer, or are left
            out with fewer than four layers.
    """

    published = VILT
    not_published = ('mask_place', )

    def __init__(self,
                 *,
                 architecture: Union[str, dict] = 'base',
                 masks: bool = True,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        sizes = ARCHITECTURES.complete(architecture)
        super().__init__(
            architecture=sizes,
            pretrained=pretrained,
            trust_pretrained=trust_pretrained,
            taps=taps,
            activation_checkpointing=activation_checkpointing,
            init_cfg=init_cfg)
        self.takes_instances = masks
        channels = sizes['channels']
        self.text_positions = nn.Parameter(torch.empty(sizes['text_positions'], channels))
        self.text_types = nn.Parameter(torch.empty(2, channels))
        self.text_norm = nn.LayerNorm(channels, eps=1e-12)
        self.image_positions = nn.Parameter(torch.empty(1 + self.grid[0] * self.grid[1], channels))
        self.token_types = nn.Parameter(torch.empty(2, channels))
        self.blocks = nn.ModuleList(
            Block(
                channels,
                sizes['heads'],
                # timm takes the whole part of the product, which rounding could put just below the wanted number.
                mlp_ratio=(sizes['feedforward_channels'] + 0.5) / channels,
                qkv_bias=True,
                norm_layer=partial(nn.LayerNorm, eps=1e-6)) for _ in range(sizes['layers']))
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        if masks:
            self.mask_type = nn.Parameter(torch.empty(channels))
            self.mask_place = nn.Linear(5, channels)
        self._initialise()

    def _initialise(self) -> None:
        """Begin words, their positions and all types as ViLT does, small, and layers as PyTorch does.

        Positions of the image, which ViLT takes from a trained ViT, begin as BEiT-3's: as small as the others, they
        would be too faint beside the patches to be read early.
        """
        for name, parameter in self.named_parameters():
            if name.endswith(('_positions', '_types', '_type')) or name in ('class_token', 'word_embedding.weight'):
                nn.init.normal_(parameter, std=1.0 if name == 'image_positions' else 0.02)

    def init_weights(self) -> None:
        """Initialise, then :meth:`load_pretrained`, whose errors it raises.

        A linear layer's own beginning is made for inputs of variance 1. Places are shares of the image: drawn so,
        they would be fainter than what the patches give to a mask's token.
        """
        if self.takes_instances:
            nn.init.normal_(self.mask_place.weight)
            nn.init.zeros_(self.mask_place.bias)
        super().init_weights()

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set; see :meth:`~mmris.models.encoders.joint.JointEncoder.load_pretrained`.

        Where it has nothing of instance masks, their type begins as a copy of the image's, and the map of their places
        stays as it is.
        """
        loaded = self._load_published()
        if self.takes_instances and loaded and 'mask_type' not in loaded:
            self.mask_type.data.copy_(self.token_types[IMAGE])

    @property
    def max_tokens(self) -> int:
        """int: Positions that there are for tokens of a sentence."""
        return len(self.text_positions)

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images and the instances found on them.

        Raises:
            ValueError: If the encoder cannot take an image of that height and width.
            ValueError: If instance masks are to enter, and none came with the images.
        """
        embeddings = super().embed_image(images)
        if not self.takes_instances:
            return embeddings
        found = images.instances
        if found is None:
            raise ValueError(
                'TrimodalEncoder takes instance masks in, but none came with the images: put LoadInstanceMasks before '
                'Letterbox or Resize in the pipeline, or set masks=False. Where nothing was found, give 0 masks.')
        return replace(
            embeddings, instances=InstanceEmbeddings(found=found, places=instance_places(found.masks, images.box)))

    def encode_image(self, embeddings: ImageEmbeddings) -> TrimodalImage:
        grid, cells = tuple(embeddings.cells.shape[-2:]), embeddings.cells.flatten(2).transpose(1, 2)
        positions = resize_positions(self.image_positions[1:], self.grid, grid, mode='bilinear')
        class_token = (self.class_token + self.image_positions[0]).expand(cells.size(0), -1, -1)
        tokens = [class_token + self.token_types[IMAGE], cells + positions + self.token_types[IMAGE]]
        inside = embeddings.inside.flatten(1)
        visible, found = [torch.ones_like(inside[:, :1]), inside], None
        if self.takes_instances:
            found = embeddings.instances.found
            tokens.insert(0, self._mask_tokens(cells, grid, embeddings.instances))
            visible.insert(0, found.present)
        return TrimodalImage(
            tokens=torch.cat(tokens, dim=1),
            visible=torch.cat(visible, dim=1),
            inside=embeddings.inside,
            found=found)

    def _mask_tokens(self, cells: Tensor, grid: Tuple[int, int], instances: InstanceEmbeddings) -> Tensor:
        """Each instance as a token ``(M, K, C)``: the mean of ``cells (M, N, C)`` under it, its place, its type."""
        covered = mask_coverage(instances.found.masks, grid).flatten(2)
        # A mask too small to be left in the input covers nothing.
        share = covered / covered.sum(dim=2, keepdim=True).clamp(min=torch.finfo(covered.dtype).tiny)
        return share.to(cells.dtype) @ cells + self.mask_place(instances.places.to(cells.dtype)) + self.mask_type

    def encode_text(self, embeddings: TextEmbeddings) -> TextEmbeddings:
        words = embeddings.words
        placed = self.text_norm(words + self.text_positions[:words.size(1)] + self.text_types[TEXT])
        return replace(embeddings, words=placed + self.token_types[TEXT])

    def join(self, image: TrimodalImage, text: TextEmbeddings, image_index: Tensor) -> EncoderOutput:
        tokens = torch.cat((image.tokens.index_select(0, image_index), text.words), dim=1)
        visible = torch.cat((image.visible.index_select(0, image_index), text.token_mask), dim=1)
        count = image.found.present.size(1) if self.takes_instances else 0
        stages = self._run_blocks(tokens, visible[:, None, None])
        sizes = (count, tokens.size(1) - count - text.words.size(1), text.words.size(1))
        parts = [stage.split(sizes, dim=1) for stage in stages]
        instances = None
        if self.takes_instances:
            instances = InstanceFeatures(tokens=parts[-1][0], found=SharedRows(image.found, image_index))
        return self.build_output([(seen, words) for _, seen, words in parts], parts[-1][2], text.token_mask,
                                 image.inside.shape[-2:], instances)

    def _run_blocks(self, tokens: Tensor, key_mask: Tensor) -> List[Tensor]:
        """The sequence after each tap."""
        stages = []
        for number, block in enumerate(self.blocks, 1):
            tokens = self.run(block, tokens, attn_mask=key_mask)
            if number in self.taps:
                stages.append(tokens)
        return [*stages[:-1], self.norm(stages[-1])]


def instance_places(masks: Tensor, image_box: Tensor) -> Tensor:
    """Where instances lie on their image.

    Args:
        masks (Tensor): ``(B, K, H, W)`` bool.
        image_box (Tensor): ``(B, 4)``, ``x0, y0, x1, y1`` of the rectangle that the image fills, in input pixels.

    Returns:
        Tensor: ``(B, K, 5)`` float32: centre x and y, width and height of the box around each, and its area, all
        relative to the image. Zeros for an empty mask.
    """
    left, top, right, bottom = image_box.float().t().unsqueeze(2)
    x0, x1 = _extent(masks.any(dim=2))
    y0, y1 = _extent(masks.any(dim=3))
    width, height = right - left, bottom - top
    places = torch.stack(((x0 + x1) / 2 - left, (y0 + y1) / 2 - top, x1 - x0, y1 - y0,
                          masks.sum(dim=(2, 3)).float() / height), dim=2)
    places = places / torch.stack((width, height, width, height, width), dim=2)
    return places * masks.any(dim=3).any(dim=2).unsqueeze(2)


def _extent(taken: Tensor) -> Tuple[Tensor, Tensor]:
    """Where the first true value of ``(B, K, length)`` begins, and the last ends."""
    edge = torch.arange(taken.size(2), device=taken.device)
    begin = torch.where(taken, edge, taken.size(2)).amin(dim=2)
    return begin.float(), torch.where(taken, edge + 1, 0).amax(dim=2).float()
