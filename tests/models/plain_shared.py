"""Shared-RIS after its encoder, plainly: what the project's stages are compared with.

Written from the paper's equations (LAVT's and Grounding DINO's for what it borrows), one expression and one head at a
time, with explicit softmax. Padding is left out beforehand, so that nothing here knows of masks. Weights come as the
state of our module.
"""

import math
from typing import Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmris.structures import EncoderOutput, FusedFeatures

State = Dict[str, Tensor]


def part(state: State, name: str) -> State:
    """The state of a submodule."""
    return {key[len(name) + 1:]: value for key, value in state.items() if key.startswith(f'{name}.')}


def linear(state: State, tokens: Tensor) -> Tensor:
    return tokens @ state['weight'].T + state.get('bias', 0)


def pointwise(state: State, tokens: Tensor) -> Tensor:
    """A 1x1 convolution, on tokens."""
    return tokens @ state['weight'][:, :, 0, 0].T + state.get('bias', 0)


def layer_norm(state: State, tokens: Tensor) -> Tensor:
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * state['weight'] + state['bias']


def instance_norm(tokens: Tensor) -> Tensor:
    """Over all places, in each channel."""
    centred = tokens - tokens.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + 1e-5).sqrt()


def mlp(state: State, tokens: Tensor) -> Tensor:
    hidden = linear(part(state, '1'), layer_norm(part(state, '0'), tokens))
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
    return linear(part(state, '3'), hidden)


def weights(query: Tensor, key: Tensor) -> Tensor:
    similarity = torch.exp(query @ key.T / math.sqrt(query.size(1)))
    return similarity / similarity.sum(dim=1, keepdim=True)


def attention(state: State, tokens: Tensor, context: Tensor, heads: int) -> Tuple[Tensor, Tensor]:
    """What each token takes from the context, and the weights ``(heads, T, S)``."""
    width = tokens.size(1)
    query = linear(part(state, 'query'), tokens)
    key, value = linear(part(state, 'key_value'), context).split(width, dim=1)
    taken, matrices = [], []
    for head in range(heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        matrices.append(weights(query[:, own], key[:, own]))
        taken.append(matrices[-1] @ value[:, own])
    return linear(part(state, 'out'), torch.cat(taken, dim=1)), torch.stack(matrices)


def bi_attention(state: State, image: Tensor, words: Tensor, heads: int) -> Tuple[Tensor, Tensor]:
    width = 4 * image.size(1)
    image_query, image_value = linear(part(state, 'image_query_value'), image).split(width, dim=1)
    word_query, word_value = linear(part(state, 'word_query_value'), words).split(width, dim=1)
    to_image, to_words = [], []
    for head in range(heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        similarity = torch.exp(image_query[:, own] @ word_query[:, own].T / math.sqrt(width / heads))
        to_image.append(similarity / similarity.sum(dim=1, keepdim=True) @ word_value[:, own])
        to_words.append((similarity / similarity.sum(dim=0)).T @ image_value[:, own])
    return (linear(part(state, 'image_out'), torch.cat(to_image, dim=1)),
            linear(part(state, 'word_out'), torch.cat(to_words, dim=1)))


def fusion_layer(state: State, image: Tensor, words: Tensor, fusion: str, heads: int) -> Tuple[Tensor, Tensor]:
    """Eqs. 6, 8 and 9, with the MLP where the state has one."""
    norm, attend, feedforward = part(state, 'norm'), part(state, 'attention'), part(state, 'mlp')
    normed_image, normed_words = layer_norm(norm, image), layer_norm(norm, words)
    if fusion == 'self_attention':
        normed = torch.cat((normed_image, normed_words))
        taken, _ = attention(attend, normed, normed, heads)
        image, words = image + taken[:len(image)], words + taken[len(image):]
    elif fusion == 'cross_attention':
        taken, _ = attention(attend, normed_image, normed_words, heads)
        image = image + taken
    else:
        to_image, to_words = bi_attention(attend, normed_image, normed_words, heads)
        image, words = image + to_image, words + to_words
    if feedforward:
        image = image + mlp(feedforward, image)
        if fusion != 'cross_attention':
            words = words + mlp(feedforward, words)
    return image, words


def stage_tokens(encoded: EncoderOutput, stage: int, expression: int) -> Tuple[Tensor, Tensor]:
    """``[class token, patches]`` of its image, and its words without padding."""
    row = int(encoded.image_index[expression])
    image = encoded.image.stages[stage][row].flatten(1).T
    if encoded.image.class_stages:
        image = torch.cat((encoded.image.class_stages[stage][row:row + 1], image))
    return image, encoded.text.stages[stage][expression][encoded.text.token_mask[expression]]


def fpn(state: State, encoded: EncoderOutput, expression: int, fusion: str, heads: int) -> Tuple[Tensor, Tensor]:
    """Eqs. 6 and 7: image tokens and words."""
    images, all_words = [], []
    for stage in range(len(encoded.image.stages)):
        image, words = stage_tokens(encoded, stage, expression)
        image = linear(part(state, f'image_projections.{stage}'), image)
        words = linear(part(state, f'word_projections.{stage}'), words)
        image, words = fusion_layer(part(state, f'fusions.{stage}'), image, words, fusion, heads)
        images.append(image)
        all_words.append(words)
    aggregate = part(state, 'aggregate')
    return linear(aggregate, torch.cat(images, dim=1)), linear(aggregate, torch.cat(all_words, dim=1))


def pwam(state: State, encoded: EncoderOutput, expression: int) -> Tensor:
    """LAVT's eqs. 1 to 5 in each stage, then eq. 7: pixels as tokens."""
    fused = []
    for stage in range(len(encoded.image.stages)):
        own = part(state, f'attentions.{stage}')
        image, words = stage_tokens(encoded, stage, expression)
        image = image[len(encoded.image.class_stages) > 0:]
        query = instance_norm(pointwise(part(own, 'query.0'), image))
        key, value = linear(part(own, 'key_value'), words).split(image.size(1), dim=1)
        gathered = instance_norm(pointwise(part(own, 'gathered.0'), weights(query, key) @ value))
        pixels = pointwise(part(own, 'pixels.0'), image).clamp(min=0)
        fused.append(pointwise(part(own, 'out.0'), pixels * gathered).clamp(min=0))
    return pointwise(part(state, 'aggregate'), torch.cat(fused, dim=1))


def decoder(state: State, fused: FusedFeatures, expression: int, fusion: str, heads: int) -> Tuple[Tensor, Tensor]:
    """Eqs. 8 and 9: image tokens and words."""
    image = fused.pixels[expression].flatten(1).T
    if fused.class_token is not None:
        image = torch.cat((fused.class_token[expression:expression + 1], image))
    words = fused.words[expression][fused.token_mask[expression]]
    if 'word_projection.weight' in state:
        words = linear(part(state, 'word_projection'), words)
    layers = {key.split('.')[1] for key in state if key.startswith('layers.')}
    for layer in sorted(layers, key=int):
        image, words = fusion_layer(part(state, f'layers.{layer}'), image, words, fusion, heads)
    return image, words


def doubled(length: int) -> Tensor:
    """``(2 * length, length)``: linear interpolation between the centres of cells, constant beyond the outer ones."""
    matrix = torch.zeros(2 * length, length)
    for place in range(2 * length):
        position = min(max((place + 0.5) / 2 - 0.5, 0), length - 1)
        below = min(int(position), length - 2)
        matrix[place, below] = below + 1 - position
        matrix[place, below + 1] = position - below
    return matrix


def conv_block(state: State, image: Tensor) -> Tensor:
    """Upsampling and eq. 10's convolution, BatchNorm, ReLU, of an image ``(C, h, w)``."""
    image = doubled(image.size(1)) @ image @ doubled(image.size(2)).T
    image = F.conv2d(image[None], state['0.weight'], padding=1)[0]
    scale = state['1.weight'] / (state['1.running_var'] + 1e-5).sqrt()
    shifted = (image - state['1.running_mean'][:, None, None]) * scale[:, None, None]
    return (shifted + state['1.bias'][:, None, None]).clamp(min=0)


def head(state: State, fused: FusedFeatures, expression: int) -> Tensor:
    """Eqs. 10 and 11 without the sigmoid: ``(4h, 4w)``."""
    image = fused.pixels[expression]
    for block in ('pixel_projection.1', 'pixel_projection.3'):
        image = conv_block(part(state, block), image)
    pixels = pointwise(part(state, 'pixel_projection.4'), image.flatten(1).T)
    sentence = linear(part(state, 'sentence_projection.0'), fused.sentence[expression:expression + 1]).clamp(min=0)
    sentence = linear(part(state, 'sentence_projection.2'), sentence)
    return (pixels @ sentence[0]).unflatten(0, image.shape[-2:])


def image_tokens(fused: FusedFeatures, expression: int) -> Tensor:
    """What our stages gave, as tokens."""
    pixels = fused.pixels[expression].flatten(1).T
    if fused.class_token is None:
        return pixels
    return torch.cat((fused.class_token[expression:expression + 1], pixels))
