"""BEiT-3: both modalities in one multiway transformer."""

import math
from typing import List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmris.checkpoints.published.beit3 import ARCHITECTURES, BEIT3
from mmris.registry import MODELS
from mmris.structures import EncoderOutput, ImageEmbeddings, TextEmbeddings

from ..layers import resize_positions
from .joint import JointEncoder
from .multiway import MultiwayLayer

# Both tables of positions begin with rows that are not used, as Fairseq's do; those of images go on with the class
# token's.
UNUSED_POSITIONS = 2


@MODELS.register_module()
class BEiT3Encoder(JointEncoder):
    """BEiT-3 (Wang et al., "Image as a Foreign Language", CVPR 2023) at any size that is a multiple of its patch size.

    ``[class token, patches, words]`` is one sequence: in each layer one softmax goes over all of it, while all weights
    are the modality's own. The states are the embeddings themselves. Positions of the image are resized to the input's
    grid (bicubic). The word at the start is the sentence, the class token the whole image.

    BEiT-3 fine-tuned like this has no space in common of image and text: where nothing else is said, the last stage
    stands for it.

    Args:
        architecture (str or dict): ``'base'``, ``'large'``, or a dict of ``layers``, ``channels``, ``heads``,
            ``feedforward_channels``, ``patch_size``, ``image_size`` (pixels that the positions are made for),
            ``vocabulary`` and ``text_positions`` (rows of the table, two of them not used). Left out, they are those of
            its ``name``, by default base's: 12, 768, 12, four times ``channels``, 16, 224, 64010 and 1024. Fine-tuned
            at another size: ``dict(name='large', image_size=480)``.
        pretrained (str, optional): A file or an address of weights, as BEiT-3 publishes them or converted, which
            :meth:`init_weights` loads. Defaults to None: from scratch, initialised as torchscale does.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Defaults to
            False.
        taps (Sequence[int], optional): Layers, counted from 1, after which a stage is taken; the last is the last
            layer. Defaults to None: at each quarter.
        norm_last_stage (bool): Whether the last stage goes through the final LayerNorm; the others are the layers'
            own outputs. Without, there is no such LayerNorm. Defaults to True.
        joint_channels (int, optional): Width of a joint space, to which a linear map of each modality takes the last
            stage. Mapped, it is given on as the last stage, so that the maps learn with all that follows. Defaults to
            None: no maps, the last stage itself.
        drop_path (float): How often, in training, a sample skips a residual branch of the last layer, in [0, 1); in
            the layers before it falls linearly to 0 at the first. Defaults to 0.
        activation_checkpointing (bool): Keep no activations inside the layers, and compute them again in the backward
            pass: less memory, more time, the same gradients. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last layer, or are left
            out with fewer than four layers.
        ValueError: If ``drop_path`` is not in [0, 1).
    """

    published = BEIT3
    not_published = ('image_projection', 'text_projection')

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 norm_last_stage: bool = True,
                 joint_channels: Optional[int] = None,
                 drop_path: float = 0.0,
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
        if not 0 <= drop_path < 1:
            raise ValueError(f'drop_path of BEiT3Encoder is a share in [0, 1), but got {drop_path}.')
        depth, channels = sizes['layers'], sizes['channels']
        self.image_positions = nn.Parameter(torch.empty(UNUSED_POSITIONS + 1 + self.grid[0] * self.grid[1], channels))
        self.text_positions = nn.Parameter(torch.empty(sizes['text_positions'], channels))
        self.layers = nn.ModuleList(
            MultiwayLayer(
                channels=channels,
                heads=sizes['heads'],
                feedforward_channels=sizes['feedforward_channels'],
                drop_path=drop_path * index / max(depth - 1, 1)) for index in range(depth))
        self.image_norm = nn.LayerNorm(channels) if norm_last_stage else nn.Identity()
        self.text_norm = nn.LayerNorm(channels) if norm_last_stage else nn.Identity()
        self.image_projection = nn.Identity() if joint_channels is None else nn.Linear(
            channels, joint_channels, bias=False)
        self.text_projection = nn.Identity() if joint_channels is None else nn.Linear(
            channels, joint_channels, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """Begin as torchscale does: PyTorch's own initialisation, but for words, positions and Magneto's gain."""
        channels, depth = self.architecture['channels'], self.architecture['layers']
        nn.init.normal_(self.word_embedding.weight, std=channels**-0.5)
        nn.init.normal_(self.image_positions)
        nn.init.normal_(self.text_positions)
        gain = math.log(2 * depth)**0.5
        for layer in self.layers:
            layer.image.scale(gain)
            layer.text.scale(gain)

    @property
    def max_tokens(self) -> int:
        """int: Positions that there are for tokens of a sentence."""
        return len(self.text_positions) - UNUSED_POSITIONS

    def encode_image(self, embeddings: ImageEmbeddings) -> ImageEmbeddings:
        return embeddings

    def encode_text(self, embeddings: TextEmbeddings) -> TextEmbeddings:
        return embeddings

    def join(self, image: ImageEmbeddings, text: TextEmbeddings, image_index: Tensor) -> EncoderOutput:
        # Positions are added to each image once, then the images are handed to their sentences.
        image_tokens = self._add_image_positions(image.cells).index_select(0, image_index)
        stages = self._run_layers(image_tokens, self._add_word_positions(text), text.token_mask)
        image_tokens, words = stages.pop()
        image_tokens, words = self.image_norm(image_tokens), self.text_norm(words)
        joint_image, joint_words = self.image_projection(image_tokens), self.text_projection(words)
        stages.append((joint_image, joint_words))
        return self.build_output(stages, words, text.token_mask, image.cells.shape[-2:])

    def _add_image_positions(self, cells: Tensor) -> Tensor:
        """Class token and patches ``(M, 1 + N, C)`` at their positions."""
        _, class_position, positions = self.image_positions.tensor_split((UNUSED_POSITIONS, UNUSED_POSITIONS + 1))
        positions = resize_positions(positions, self.grid, tuple(cells.shape[-2:]))
        patches = cells.flatten(2).transpose(1, 2) + positions
        return torch.cat(((self.class_token + class_position).expand(cells.size(0), -1, -1), patches), dim=1)

    def _add_word_positions(self, text: TextEmbeddings) -> Tensor:
        """Words ``(P, L, C)`` at their positions, zero on padding."""
        positions = self.text_positions[UNUSED_POSITIONS:UNUSED_POSITIONS + text.words.size(1)]
        return (text.words + positions) * text.token_mask.unsqueeze(-1)

    def _run_layers(self, image: Tensor, words: Tensor, token_mask: Tensor) -> List[Tuple[Tensor, Tensor]]:
        """Image and words after each tap."""
        # Which tokens of the sequence others may look at. Also made where all may: to tell, a GPU would have to wait.
        key_mask, stages = F.pad(token_mask, (image.size(1), 0), value=True)[:, None, None], []
        for number, layer in enumerate(self.layers, 1):
            image, words = self.run(layer, image, words, key_mask)
            if number in self.taps:
                stages.append((image, words))
        return stages
