"""What encoders share whose modalities are one sequence from the first layer on."""

from abc import abstractmethod
from typing import Any, Collection, Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmris.checkpoints import load_published, read_published
from mmris.checkpoints.published import PublishedModel
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageFeatures,
    ImageInputs,
    InstanceFeatures,
    TextEmbeddings,
    TextFeatures,
)
from mmris.zoo import TOWERS

from ..layers import check_token_ids, patch_grid, patches_inside
from .base import Encoder
from .towers.image_tower import check_taps, recompute


class JointEncoder(Encoder):
    """A transformer over ``[class token, patches, words]``, and whatever else a subclass puts into the sequence.

    An image's features depend on the sentence, so that ``join`` does the work and M is P.

    Attributes:
        published (PublishedModel): The model whose weights ``pretrained`` names.
        not_published (tuple[str]): Parts that are ours, so that published weights do not fill them.

    Args:
        architecture (dict[str, int]): ``layers``, ``channels``, ``patch_size``, ``image_size`` (pixels that the
            positions are made for) and ``vocabulary``; others are the subclass's.
        pretrained (str, optional): A file or an address of weights, which :meth:`init_weights` loads.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says.
        taps (Sequence[int], optional): Layers, counted from 1, after which a stage is taken; the last is the last
            layer. None: at each quarter.
        activation_checkpointing (bool): Keep no activations inside the layers, and compute them again in the backward
            pass: less memory, more time, the same gradients.
        init_cfg (dict, optional): MMEngine initialisation.

    Raises:
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last layer, or are left
            out with fewer than four layers.
    """

    published: PublishedModel
    not_published: Tuple[str, ...] = ()

    def __init__(self, *, architecture: Dict[str, int], pretrained: Optional[str], trust_pretrained: bool,
                 taps: Optional[Sequence[int]], activation_checkpointing: bool, init_cfg: Optional[dict]) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        self.trust_pretrained = trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        self.taps = self._choose_taps(taps, architecture['layers'])
        channels, patch_size = architecture['channels'], architecture['patch_size']
        self.stride = (patch_size, patch_size)
        self.cell_channels = self.word_channels = channels
        self.grid = (architecture['image_size'] // patch_size, ) * 2
        self.patch_embedding = nn.Conv2d(3, channels, patch_size, stride=patch_size)
        self.word_embedding = nn.Embedding(architecture['vocabulary'], channels)
        self.class_token = nn.Parameter(torch.zeros(1, 1, channels))

    @property
    def why_no_image_part(self) -> str:
        """str: Why no part sees the image alone, for messages."""
        return 'image and words are one sequence from its first layer on'

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: If ``pretrained`` is set, submodules with weights, and tokens, types and positions, which are no
        modules; not what is ours."""
        if self.pretrained is None:
            return ()
        modules = [name for name, part in self.named_children() if part.state_dict()]
        names = [*modules, *(name for name, _ in self.named_parameters(recurse=False))]
        return tuple(name for name in names if name not in self.not_published)

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set. Parts that are ours stay as they are, unless a model trained here gives them.

        Raises:
            FileNotFoundError: If there is no such file; the message says where published ones are named.
            ValueError: If it cannot be read, or has keys that are not the published model's.
            RuntimeError: If it holds another architecture.
        """
        self._load_published()

    def _load_published(self) -> Collection[str]:
        """Load ``pretrained``, and return the names of the weights that were loaded."""
        if self.pretrained is None:
            return ()
        weights = read_published(self.published, self.pretrained, trust=self.trust_pretrained, kind=TOWERS)
        return load_published(self, self.published, weights, self.architecture)

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """int: Positions that there are for tokens of a sentence."""

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        size = tuple(images.pixels.shape[-2:])
        inside = patches_inside(images.box, patch_grid(size, self.stride), size)
        return ImageEmbeddings(cells=self.patch_embedding(images.pixels), inside=inside)

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        """Embed P tokenised expressions.

        Raises:
            ValueError: See :func:`~mmris.models.layers.token_ids.check_token_ids`.
        """
        check_token_ids(
            expressions.token_ids,
            owner='encoder',
            positions=self.max_tokens,
            vocabulary=self.word_embedding.num_embeddings,
            vocabulary_option='vocabulary of the architecture')
        return TextEmbeddings(words=self.word_embedding(expressions.token_ids), token_mask=expressions.token_mask)

    def run(self, layer: nn.Module, *inputs: Any, **options: Any) -> Any:
        """Run one layer, keeping its activations or not, as the config says."""
        if self.activation_checkpointing:
            return recompute(layer, *inputs, **options)
        return layer(*inputs, **options)

    def build_output(self,
                     stages: Sequence[Tuple[Tensor, Tensor]],
                     words: Tensor,
                     token_mask: Tensor,
                     grid: Sequence[int],
                     instances: Optional[InstanceFeatures] = None) -> EncoderOutput:
        """What the encoder gives, out of its stages.

        Args:
            stages (Sequence[tuple[Tensor, Tensor]]): For each tap ``(P, 1 + N, C_i)``, class token and patches, and
                ``(P, L, C_i)``, words. The last one is the joint space.
            words (Tensor): ``(P, L, C)``, the words as the encoder's own output.
            token_mask (Tensor): ``(P, L)`` bool.
            grid (Sequence[int]): Height and width in patches.
            instances (InstanceFeatures, optional): Defaults to None.
        """
        image, text = stages[-1]
        return EncoderOutput(
            image=ImageFeatures(
                stages=tuple(tokens[:, 1:].transpose(1, 2).unflatten(2, tuple(grid)) for tokens, _ in stages),
                patches=image[:, 1:],
                image_global=image[:, 0],
                class_stages=tuple(tokens[:, 0] for tokens, _ in stages)),
            text=TextFeatures(
                words=words,
                words_joint=text,
                sentence=text[:, 0],
                token_mask=token_mask,
                stages=tuple(tokens for _, tokens in stages)),
            image_index=torch.arange(words.size(0), device=words.device),
            instances=instances)

    def _choose_taps(self, taps: Optional[Sequence[int]], depth: int) -> Tuple[int, ...]:
        if taps is None:
            if depth < 4:
                raise ValueError(f'{type(self).__name__} of {depth} layers has no default taps, which are four: set '
                                 f'taps=({depth},).')
            return tuple(depth * quarter // 4 for quarter in range(1, 5))
        check_taps(type(self).__name__, taps, depth)
        return tuple(taps)
