"""LAVT (Yang et al., CVPR 2022), plainly: what the project's encoder, decoder and key map are compared with.

Functions of the two states of a published file: ``model`` and ``bert_model``. Their tensors say all sizes except those
in :class:`Architecture`. Written from the method's numbers, one operation at a time and attention head by head, with
nothing of the project in it. Every row is one image with one expression, as in the published training.
With ``training=True``, BatchNorm takes its statistics from the given rows; running statistics never change. No mode
has dropout. P expressions, L tokens, C channels. Stages are counted from 0, as in the layout.
"""

import math
from typing import Dict, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from tests.models.plain_risclip import gelu
from tests.models.plain_shared import linear, part
from tests.parity.plain_bert import bert
from tests.parity.plain_detris_towers import batch_norm, convolution, layer_norm
from tests.parity.plain_swin import blocks, embed, merge

State = Dict[str, Tensor]

#: What is added to scores of padding.
PADDING_SCORE = -1e4
#: Weights of background and object in the loss.
CLASS_WEIGHTS = (0.9, 1.1)
#: Overlaps that Pr@X asks for.
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


class Architecture(NamedTuple):
    """What the states' tensors do not say, or not plainly. The defaults are the published model's."""

    depths: Tuple[int, ...] = (2, 2, 18, 2)
    #: Attention heads of each stage's blocks.
    heads: Tuple[int, ...] = (4, 8, 16, 32)
    window: int = 12
    text_heads: int = 12


#: Swin-B with windows of 12, and BERT base.
BASE = Architecture()


class Trace(NamedTuple):
    """The result, and everything on the way to it. Stage i is ``(P, C_i, h_i, w_i)``, at strides 4, 8, 16, 32."""

    #: ``(P, L, C)``, of BERT's last layer; rows of padding are in it.
    words: Tensor
    #: Per stage: x, after its blocks.
    blocks: List[Tensor]
    #: Per stage: F, what the pixel-word attention makes of x and the words.
    fused: List[Tensor]
    #: Of stages 0 to 2: ``x + S * F``, what patch merging gets.
    gated: List[Tensor]
    #: Per stage: F after its norm, what the decoder gets.
    stages: List[Tensor]
    #: What the decoder's levels give, from the deepest: three maps of the grids of stages 2, 1 and 0.
    levels: List[Tensor]
    #: ``(P, 2, h_0, w_0)``: scores of background and object, a quarter of the input's size.
    grid_logits: Tensor
    #: ``(P, 2, H, W)``: the same, enlarged to the input's size.
    logits: Tensor
    #: ``(P, 1, H, W)``: object minus background, at the input's size.
    mask_logits: Tensor


def instance_norm(x: Tensor) -> Tensor:
    """Of ``(P, C, n)``, over the pixels of each row and channel; it has no weights."""
    centred = x - x.mean(dim=2, keepdim=True)
    return centred / (centred.square().mean(dim=2, keepdim=True) + 1e-5).sqrt()


def word_attention(state: State, pixels: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
    """G: what each pixel takes from the words, ``(P, C, n)``.

    Args:
        state (dict): Of ``image_lang_att``.
        pixels (Tensor): ``(P, C, n)``.
        words (Tensor): ``(P, L, D)``.
        token_mask (Tensor): ``(P, L)`` bool, false on padding.
    """
    present = token_mask[:, None].to(pixels)
    query = instance_norm(convolution(part(state, 'f_query.0'), pixels))
    key = convolution(part(state, 'f_key.0'), words.transpose(1, 2)) * present
    value = convolution(part(state, 'f_value.0'), words.transpose(1, 2)) * present
    scores = query.transpose(1, 2) @ key / math.sqrt(pixels.size(1)) + PADDING_SCORE * (1 - present)
    taken = torch.softmax(scores, dim=2) @ value.transpose(1, 2)
    return instance_norm(convolution(part(state, 'W.0'), taken.transpose(1, 2)))


def fuse(state: State, x: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
    """F: the pixel-word attention module, of a map ``(P, C, h, w)`` to the same shape, of the state of ``fusion``."""
    pixels = x.flatten(2)
    taken = word_attention(part(state, 'image_lang_att'), pixels, words, token_mask)
    mixed = gelu(convolution(part(state, 'vis_project.0'), pixels)) * taken
    return gelu(convolution(part(state, 'project_mm.0'), mixed)).unflatten(2, x.shape[2:])


def gate(state: State, fused: Tensor) -> Tensor:
    """S, of F ``(P, C, h, w)`` to the same shape, of the state of ``res_gate``."""
    hidden = linear(part(state, '0'), fused.permute(0, 2, 3, 1)).clamp(min=0)
    return torch.tanh(linear(part(state, '2'), hidden)).permute(0, 3, 1, 2)


def passed_on(state: State, x: Tensor, fused: Tensor) -> Tensor:
    """What goes on to the next stage, before patch merging, of the state ``backbone.layers.{i}``."""
    return x + gate(part(state, 'res_gate'), fused) * fused


def output_norm(state: State, fused: Tensor) -> Tensor:
    """LayerNorm over the channels of a map ``(P, C, h, w)``."""
    return layer_norm(state, fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def resampling(given: int, wanted: int) -> Tensor:
    """``(wanted, given)`` float64: linear interpolation between the centres of cells; first and last centres meet."""
    matrix = torch.zeros(wanted, given, dtype=torch.float64)
    for place in range(wanted):
        position = place * (given - 1) / max(wanted - 1, 1)
        below = min(int(position), given - 1)
        above = min(below + 1, given - 1)
        matrix[place, below] += 1 - (position - below)
        matrix[place, above] += position - below
    return matrix


def enlarged(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, corners aligned: ``(P, C, h, w)`` to a size ``(H, W)``."""
    rows, columns = (resampling(given, wanted).to(x) for given, wanted in zip(x.shape[2:], size))
    return rows @ x @ columns.T


def level(state: State, deep: Tensor, stage: Tensor, number: int, training: bool) -> Tensor:
    """A level of the decoder: what comes from below, enlarged, is ahead of the stage.

    Args:
        state (dict): Of ``classifier``.
        deep (Tensor): Of the stage or level below.
        stage (Tensor): Of the stage that joins.
        number (int): In the layout: 4, 3 or 2, that of the stage below, counted from 1.
        training (bool): Whether BatchNorm takes its statistics from these rows.
    """
    x = torch.cat((enlarged(deep, stage.shape[2:]), stage), dim=1)
    for place in ('1', '2'):
        x = convolution(part(state, f'conv{place}_{number}'), x)
        x = batch_norm(part(state, f'bn{place}_{number}'), x, training, epsilon=1e-5).clamp(min=0)
    return x


def decode(state: State, stages: Sequence[Tensor], training: bool = False) -> Tuple[List[Tensor], Tensor]:
    """The levels' maps and the two classes' scores ``(P, 2, h_0, w_0)``, of the state of ``classifier``."""
    x, levels = stages[3], []
    for number in (4, 3, 2):
        x = level(state, x, stages[number - 2], number, training)
        levels.append(x)
    return levels, convolution(part(state, 'conv1_1'), x)


def trace(model: State, bert_model: State, pixels: Tensor, token_ids: Tensor, token_mask: Tensor, *,
          architecture: Architecture = BASE, training: bool = False) -> Trace:
    """The whole model, with everything on the way.

    Args:
        model (dict): The published file's ``model``, without the text tower.
        bert_model (dict): The published file's ``bert_model``.
        pixels (Tensor): Normalised pixels ``(P, 3, H, W)``, one row per expression; sides are multiples of 4.
        token_ids (Tensor): ``(P, L)`` int64.
        token_mask (Tensor): ``(P, L)`` bool, false on padding.
        architecture (Architecture): Depths, heads and window.
        training (bool): Whether BatchNorm takes its statistics from these rows. Default: False.
    """
    backbone = part(model, 'backbone')
    words = bert(bert_model, token_ids, token_mask, architecture.text_heads)
    x = embed(part(backbone, 'patch_embed'), pixels)
    block_maps, fused, gated, stages = [], [], [], []
    for index, (depth, heads) in enumerate(zip(architecture.depths, architecture.heads)):
        own = part(backbone, f'layers.{index}')
        block_maps.append(blocks(own, x, depth, heads, architecture.window).permute(0, 3, 1, 2))
        fused.append(fuse(part(own, 'fusion'), block_maps[-1], words, token_mask))
        stages.append(output_norm(part(backbone, f'norm{index}'), fused[-1]))
        if index < 3:
            gated.append(passed_on(own, block_maps[-1], fused[-1]))
            x = merge(part(own, 'downsample'), gated[-1].permute(0, 2, 3, 1))
    levels, grid_logits = decode(part(model, 'classifier'), stages, training)
    logits = enlarged(grid_logits, pixels.shape[2:])
    return Trace(words, block_maps, fused, gated, stages, levels, grid_logits, logits, difference(logits))


def lavt(model: State, bert_model: State, pixels: Tensor, token_ids: Tensor, token_mask: Tensor, *,
         architecture: Architecture = BASE, training: bool = False) -> Tensor:
    """Scores ``(P, 2, H, W)`` of background and object, by the arguments of :func:`trace`."""
    return trace(model, bert_model, pixels, token_ids, token_mask, architecture=architecture, training=training).logits


def difference(logits: Tensor) -> Tensor:
    """``(P, 2, h, w)`` to ``(P, 1, h, w)``: object minus background."""
    return logits[:, 1:] - logits[:, :1]


def training_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of scores ``(P, 2, H, W)`` and bool masks ``(P, H, W)``: a mean with a weight for each class."""
    own = torch.where(masks, logits[:, 1], logits[:, 0])
    errors = logits.logsumexp(dim=1) - own
    background, target = CLASS_WEIGHTS
    # In the type of the scores: of two plain numbers torch.where makes float32.
    weights = torch.where(masks, logits.new_tensor(target), logits.new_tensor(background))
    return (weights * errors).sum() / weights.sum()


class Scores(NamedTuple):
    """The published numbers, as shares rather than percent."""

    #: Pixels of each sentence, ``(P,)`` int64.
    intersections: Tensor
    unions: Tensor
    #: Sum of intersections by sum of unions.
    overall: float
    #: Mean of the sentences' IoU; that of an empty union is 0.
    mean: float
    #: Per threshold of :data:`THRESHOLDS`: the share of sentences whose IoU reaches it.
    precisions: Tuple[float, ...]


def scores(logits: Tensor, masks: Tensor) -> Scores:
    """Of scores ``(P, 2, H, W)`` and bool masks ``(P, H, W)`` at the input's size; the greater class is predicted."""
    predicted = logits[:, 1] > logits[:, 0]
    intersections = (predicted & masks).sum(dim=(1, 2))
    unions = (predicted | masks).sum(dim=(1, 2))
    pairs = list(zip(intersections.tolist(), unions.tolist()))
    ious = [shared / either if either else 0.0 for shared, either in pairs]
    precisions = tuple(sum(iou >= threshold for iou in ious) / len(ious) for threshold in THRESHOLDS)
    overall = sum(shared for shared, _ in pairs) / sum(either for _, either in pairs)
    return Scores(intersections, unions, overall, sum(ious) / len(ious), precisions)
