"""RISCLIP, plainly: what the project's encoder, decoder and heads are compared with.

Written from the method's equations, those of CLIP and MaskCLIP for what it is built on and LAVT's for the decoder: one
expression about one image at a time, head by head, with explicit softmax. Padding is left out beforehand, so that
nothing here knows of token masks. Weights come as the state of our modules.
"""

from typing import Dict, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.plain_shared import attention, layer_norm, linear, part

State = Dict[str, Tensor]


def clip_attention(state: State, tokens: Tensor, heads: int, causal: bool) -> Tensor:
    """Self-attention of CLIP's towers; causally, a token sees itself and those before it."""
    width, taken = tokens.size(1), []
    query, key, value = (tokens @ state['in_proj_weight'].T + state['in_proj_bias']).split(width, dim=1)
    for head in range(heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        similarity = torch.exp(query[:, own] @ key[:, own].T / (width / heads)**0.5)
        if causal:
            similarity = similarity.tril()
        taken.append(similarity / similarity.sum(dim=1, keepdim=True) @ value[:, own])
    return linear(part(state, 'out_proj'), torch.cat(taken, dim=1))


def values(state: State, tokens: Tensor) -> Tensor:
    """Each row's own value, through the output's map: MaskCLIP's way past the attention."""
    width = tokens.size(1)
    value = tokens @ state['in_proj_weight'][2 * width:].T + state['in_proj_bias'][2 * width:]
    return linear(part(state, 'out_proj'), value)


def gelu(hidden: Tensor) -> Tensor:
    return 0.5 * hidden * (1 + torch.erf(hidden / 2**0.5))


def quick_gelu(hidden: Tensor) -> Tensor:
    return hidden / (1 + torch.exp(-1.702 * hidden))


def adapter(state: State, tokens: Tensor) -> Tensor:
    """A bottleneck beside the tokens, where there is one."""
    if not state:
        return tokens
    return tokens + linear(part(state, 'up'), linear(part(state, 'down'), tokens).clamp(min=0))


def block(state: State, adapters: State, tokens: Tensor, heads: int, quick: bool, causal: bool = False,
          value_path: bool = False) -> Tensor:
    """A block of CLIP's towers, with an adapter after the self-attention and one after the MLP."""
    attend, normed = part(state, 'attn'), layer_norm(part(state, 'ln_1'), tokens)
    attended = clip_attention(attend, normed, heads, causal)
    if value_path:
        attended = torch.cat((attended[:1], values(attend, normed)[1:]))
    tokens = adapter(part(adapters, 'attention'), tokens + attended)
    hidden = linear(part(state, 'mlp.c_fc'), layer_norm(part(state, 'ln_2'), tokens))
    hidden = quick_gelu(hidden) if quick else gelu(hidden)
    return adapter(part(adapters, 'mlp'), tokens + linear(part(state, 'mlp.c_proj'), hidden))


def extraction(state: State, image: Tensor, words: Tensor, seen: Tensor, heads: int) -> Tuple[Tensor, Tensor]:
    """CFE: each side takes from the other in a shared width, both of what came in; words only of what is ``seen``."""
    shared_image = linear(part(state, 'image_to_shared'), image)
    shared_words = linear(part(state, 'words_to_shared'), words)
    to_words, _ = attention(part(state, 'word_attention'), shared_words, shared_image[seen], heads)
    to_image, _ = attention(part(state, 'image_attention'), shared_image, shared_words, heads)
    return (image + linear(part(state, 'shared_to_image'), to_image),
            words + linear(part(state, 'shared_to_words'), to_words))


def exploitation(state: State, image: Tensor, words: Tensor, seen: Tensor, heads: int) -> Tuple[Tensor, Tensor]:
    """One SKE: attention across, both to what came in, attention within, MLP; each after a norm, and residual."""
    normed = dict(image=layer_norm(part(state, 'image.cross_norm'), image),
                  words=layer_norm(part(state, 'words.cross_norm'), words))
    everything = torch.ones(len(words)).bool()
    results = []
    for name, tokens, other, own_seen, other_seen in (('image', image, 'words', seen, everything),
                                                      ('words', words, 'image', everything, seen)):
        side = part(state, name)
        tokens = tokens + attention(part(side, 'cross_attention'), normed[name], normed[other][other_seen], heads)[0]
        own = layer_norm(part(side, 'self_norm'), tokens)
        tokens = tokens + attention(part(side, 'self_attention'), own, own[own_seen], heads)[0]
        hidden = gelu(linear(part(side, 'mlp_in'), layer_norm(part(side, 'mlp_norm'), tokens)))
        results.append(tokens + linear(part(side, 'mlp_out'), hidden))
    return results[0], results[1]


def image_tokens(state: State, pixels: Tensor) -> Tensor:
    """``[class token, patches]`` of pixels ``(3, H, W)``, with positions, normed."""
    kernel = state['conv1.weight']
    size = kernel.size(-1)
    height, width = pixels.size(1) // size, pixels.size(2) // size
    patches = []
    for row in range(height):
        for column in range(width):
            piece = pixels[:, row * size:(row + 1) * size, column * size:(column + 1) * size]
            patches.append((kernel * piece).sum(dim=(1, 2, 3)))
    own, positions = state['positional_embedding'][0], state['positional_embedding'][1:]
    grid = round(len(positions)**0.5)
    positions = F.interpolate(
        positions.T.reshape(1, -1, grid, grid), size=(height, width), mode='bicubic', align_corners=False)
    tokens = torch.stack(patches) + positions[0].flatten(1).T
    return layer_norm(part(state, 'ln_pre'), torch.cat((state['class_embedding'][None] + own, tokens)))


def as_map(tokens: Tensor, height: int) -> Tensor:
    """Patches ``(N, C)`` as ``(C, h, w)``."""
    return tokens.T.unflatten(1, (height, -1))


def cosine_map(patches: Tensor, sentence: Tensor) -> Tensor:
    """Cosine similarity ``(N,)`` of each patch with the sentence."""
    found = [patch @ sentence / (patch.square().sum().sqrt() * sentence.square().sum().sqrt()) for patch in patches]
    return torch.stack(found)


def depth(state: State, name: str) -> int:
    """How many modules a list has."""
    return len({key[len(name) + 1:].split('.')[0] for key in state if key.startswith(f'{name}.')})


def encode(state: State, pixels: Tensor, inside: Tensor, token_ids: Tensor, *, heads: Dict[str, int],
           meetings: Dict[str, Tuple[int, int]], taps: Sequence[int], quick_gelu: bool, value_path: bool) -> State:
    """One image and one expression.

    Args:
        state (dict): The encoder's.
        pixels (Tensor): ``(3, H, W)``.
        inside (Tensor): ``(h, w)`` bool, false in the border.
        token_ids (Tensor): ``(n,)``, without padding.
        heads (dict): Of the attention of ``image`` and ``text``, of ``cfe`` and of ``ske``.
        meetings (dict): For each CFE, by its name in the state and in the order of the blocks, the image block and the
            text block that it stands before, counted from 1.
        taps (Sequence[int]): Image blocks whose patches are kept, counted from 1.
        quick_gelu (bool): Whether the towers have QuickGELU.
        value_path (bool): Whether patches of the last image block take their own values.

    Returns:
        dict: ``stage 0``, ... ``(C, h, w)``, ``words (n, C)``, and in the joint space ``patches (N, D)``,
        ``image_global (D,)``, ``words_joint (n, D)`` and ``sentence (D,)``.
    """
    image_state, text_state = part(state, 'image.clip'), part(state, 'text.clip')
    image_depth, text_depth = (depth(one, 'transformer.resblocks') for one in (image_state, text_state))
    image = image_tokens(image_state, pixels)
    words = text_state['token_embedding.weight'][token_ids] + text_state['positional_embedding'][:len(token_ids)]
    # The class token is never border.
    seen = torch.cat((torch.ones(1).bool(), inside.flatten()))
    found, image_done, text_done = {}, 0, 0
    for name, (image_next, text_next) in [*meetings.items(), ('end', (image_depth + 1, text_depth + 1))]:
        for index in range(image_done, image_next - 1):
            image = block(
                part(image_state, f'transformer.resblocks.{index}'), part(state, f'image_adapters.{index}'), image,
                heads['image'], quick_gelu, value_path=value_path and index == image_depth - 1)
            if index + 1 in taps:
                found[f'stage {list(taps).index(index + 1)}'] = as_map(image[1:], len(inside))
        for index in range(text_done, text_next - 1):
            words = block(
                part(text_state, f'transformer.resblocks.{index}'), part(state, f'text_adapters.{index}'), words,
                heads['text'], quick_gelu, causal=True)
        image_done, text_done = image_next - 1, text_next - 1
        if name != 'end':
            image, words = extraction(part(state, f'cfe.{name}'), image, words, seen, heads['cfe'])
    words = layer_norm(part(text_state, 'ln_final'), words)
    joint = layer_norm(part(image_state, 'ln_post'), image) @ image_state['proj']
    words_joint = words @ text_state['text_projection']
    for number in range(depth(state, 'ske')):
        joint, words_joint = exploitation(part(state, f'ske.{number}'), joint, words_joint, seen, heads['ske'])
    return dict(
        found,
        words=words,
        patches=joint[1:],
        image_global=joint[0],
        words_joint=words_joint,
        sentence=words_joint[-1])


def upsampled(image: Tensor, height: int, width: int) -> Tensor:
    """``(C, h, w)`` to a finer grid: linear between the centres of cells, constant beyond the outer ones."""
    return finer(image.size(1), height) @ image @ finer(image.size(2), width).T


def finer(length: int, result: int) -> Tensor:
    """``(result, length)``."""
    matrix = torch.zeros(result, length)
    for place in range(result):
        position = min(max((place + 0.5) * length / result - 0.5, 0), length - 1)
        below = int(position)
        above = min(below + 1, length - 1)
        matrix[place, below] += 1 - (position - below)
        matrix[place, above] += position - below
    return matrix


def convolutions(state: State, image: Tensor) -> Tensor:
    """A ``D`` of the decoder: two 3x3 convolutions, each with ReLU and then BatchNorm, of ``(C, h, w)``."""
    for convolution, norm in (('0', '2'), ('3', '5')):
        weight, bias = state[f'{convolution}.weight'], state[f'{convolution}.bias']
        image = F.conv2d(image[None], weight, bias, padding=1)[0].clamp(min=0)
        norm = {name: value[..., None, None] for name, value in part(state, norm).items()}
        image = (image - norm['running_mean']) / (norm['running_var'] + 1e-5).sqrt() * norm['weight'] + norm['bias']
    return image


def decode(state: State, stages: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """Stages ``(C_i, h_i, w_i)`` from shallow to deep, and none or one map ``(h, w)`` beside the deepest."""
    image = torch.cat((stages[-1], *(one[None] for one in maps)))
    image = convolutions(part(state, f'blocks.{len(stages) - 1}'), image)
    for number in reversed(range(len(stages) - 1)):
        grid = 2 * image.size(1), 2 * image.size(2)
        image = torch.cat((upsampled(image, *grid), upsampled(stages[number], *grid)))
        image = convolutions(part(state, f'blocks.{number}'), image)
    return image
