"""LAVT in the published layout at a size that tests run in no time, with random weights."""

from argparse import Namespace
from typing import Dict, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from tests.parity.plain_lavt import Architecture
from tests.parity.plain_swin import relative_rows
from tests.parity.toy_detris import Weights

State = Dict[str, Tensor]


class Sizes(NamedTuple):
    """Of :func:`toy_states`. The decoder's and the words' widths differ from those of all stages."""

    #: Of stage 0; each later stage has twice as much.
    width: int = 8
    depths: Tuple[int, ...] = (2, 2, 2, 2)
    heads: Tuple[int, ...] = (1, 2, 2, 4)
    window: int = 4
    decoder_width: int = 20
    text_width: int = 24
    text_depth: int = 2
    text_feedforward: int = 36
    vocabulary: int = 40
    positions: int = 12


#: What the plain functions ask for beside the states of :func:`toy_states`, made with the default sizes and four heads.
ARCHITECTURE = Architecture(depths=Sizes().depths, heads=Sizes().heads, window=Sizes().window, text_heads=4)


def add_block(weights: Weights, name: str, width: int, heads: int, window: int) -> None:
    weights.norm(f'{name}.norm1', width)
    weights.normal(f'{name}.attn.relative_position_bias_table', (2 * window - 1)**2, heads, deviation=1.0)
    weights.state[f'{name}.attn.relative_position_index'] = relative_rows(window)
    weights.map(f'{name}.attn.qkv', width, 3 * width)
    weights.map(f'{name}.attn.proj', width, width)
    weights.norm(f'{name}.norm2', width)
    weights.map(f'{name}.mlp.fc1', width, 4 * width)
    weights.map(f'{name}.mlp.fc2', 4 * width, width)


def add_fusion(weights: Weights, name: str, width: int, text_width: int) -> None:
    """The pixel-word attention and the gate of a stage."""
    attention = f'{name}.fusion.image_lang_att'
    weights.convolution(f'{name}.fusion.vis_project.0', width, width, 1)
    weights.convolution(f'{attention}.f_query.0', width, width, 1)
    weights.convolution(f'{attention}.f_key.0', text_width, width, 1)
    weights.convolution(f'{attention}.f_value.0', text_width, width, 1)
    weights.convolution(f'{attention}.W.0', width, width, 1)
    weights.convolution(f'{name}.fusion.project_mm.0', width, width, 1)
    for place in (0, 2):
        weights.normal(f'{name}.res_gate.{place}.weight', width, width, deviation=2 * width**-0.5)


def add_backbone(weights: Weights, sizes: Sizes) -> None:
    weights.convolution('backbone.patch_embed.proj', 3, sizes.width, 4, 4)
    weights.norm('backbone.patch_embed.norm', sizes.width)
    for index, (depth, heads) in enumerate(zip(sizes.depths, sizes.heads)):
        stage, width = f'backbone.layers.{index}', sizes.width * 2**index
        for number in range(depth):
            add_block(weights, f'{stage}.blocks.{number}', width, heads, sizes.window)
        add_fusion(weights, stage, width, sizes.text_width)
        if index < 3:
            weights.norm(f'{stage}.downsample.norm', 4 * width)
            weights.normal(f'{stage}.downsample.reduction.weight', 2 * width, 4 * width, deviation=(4 * width)**-0.5)
        weights.norm(f'backbone.norm{index}', width)


def add_classifier(weights: Weights, sizes: Sizes) -> None:
    own, deep = sizes.decoder_width, 8 * sizes.width
    for number in (4, 3, 2):
        for place, inputs in (('1', deep + sizes.width * 2**(number - 2)), ('2', own)):
            # Twice as wide, so that pixels still differ after three levels.
            deviation = 2 * (9 * inputs)**-0.5
            weights.normal(f'classifier.conv{place}_{number}.weight', own, inputs, 3, 3, deviation=deviation)
            weights.batch_norm(f'classifier.bn{place}_{number}', own)
        deep = own
    weights.convolution('classifier.conv1_1', own, 2, 1, 1)


def add_model(weights: Weights, sizes: Sizes) -> None:
    """The entry ``model`` of a file of ``lavt``."""
    add_backbone(weights, sizes)
    add_classifier(weights, sizes)


def add_bert(weights: Weights, sizes: Sizes) -> None:
    """The entry ``bert_model`` of a file of ``lavt``."""
    width = sizes.text_width
    for name, count in (('word', sizes.vocabulary), ('position', sizes.positions), ('token_type', 2)):
        weights.normal(f'embeddings.{name}_embeddings.weight', count, width)
    weights.norm('embeddings.LayerNorm', width)
    for index in range(sizes.text_depth):
        layer = f'encoder.layer.{index}'
        for name in ('query', 'key', 'value'):
            weights.map(f'{layer}.attention.self.{name}', width, width)
        weights.map(f'{layer}.attention.output.dense', width, width)
        weights.norm(f'{layer}.attention.output.LayerNorm', width)
        weights.map(f'{layer}.intermediate.dense', width, sizes.text_feedforward)
        weights.map(f'{layer}.output.dense', sizes.text_feedforward, width)
        weights.norm(f'{layer}.output.LayerNorm', width)


def toy_states(seed: int = 8, dtype: torch.dtype = torch.float64, **sizes: object) -> Tuple[State, State]:
    """``model`` and ``bert_model`` in the published layout, dead and derived entries included.

    Args:
        seed (int): Of the random numbers. Default: 8, by which either class wins a good share of each row's pixels.
        dtype (torch.dtype): Of all tensors but indices and BatchNorm's counters. Default: torch.float64.
        sizes (object): Fields of :class:`Sizes` that differ from the defaults.
    """
    states = []
    for number, add in enumerate((add_model, add_bert)):
        weights = Weights(2 * seed + number)
        add(weights, Sizes(**sizes))
        states.append({name: value.to(dtype) if value.is_floating_point() else value
                       for name, value in weights.state.items()})
    return states[0], states[1]


def beside(parameter: Tensor) -> dict:
    """What is stored beside the weights."""
    return dict(
        optimizer=dict(
            state={0: dict(step=7, exp_avg=torch.ones_like(parameter), exp_avg_sq=torch.ones_like(parameter))},
            param_groups=[dict(lr=5e-5, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8, amsgrad=False, params=[0])]),
        epoch=39,
        args=Namespace(model='lavt', swin_type='base', dataset='refcoco', img_size=480, window12=True, pretrained=''),
        lr_scheduler=dict(base_lrs=[5e-5], last_epoch=7, verbose=False, _step_count=8, lr_lambdas=[None]))


def released(model: State, bert_model: State) -> dict:
    """A checkpoint of ``lavt`` as it is published."""
    return dict(beside(model['backbone.norm0.weight']), model=dict(model), bert_model=dict(bert_model))


def released_one(model: State, bert_model: State) -> dict:
    """A checkpoint of ``lavt_one`` as it is published: the text tower is in ``model``."""
    text = {f'text_encoder.{name}': value for name, value in bert_model.items()}
    stored = dict(beside(model['backbone.norm0.weight']), model={**model, **text})
    stored['args'].model = 'lavt_one'
    return stored


def toy_inputs(seed: int = 1, rows: int = 3, size: Sequence[int] = (64, 96), length: int = 9,
               dtype: torch.dtype = torch.float64) -> Dict[str, Tensor]:
    """Inputs of the plain functions, and masks.

    At 64 x 96, windows of 4 are padded in stages 2 and 3. At 80 x 64 they are in stages 1, 2 and 3, and merging pads a
    side of 5.

    Args:
        seed (int): Of the random numbers. Default: 1.
        rows (int): Expressions, each with an image. Default: 3.
        size (Sequence[int]): Height and width in pixels, multiples of 4. Default: (64, 96).
        length (int): Tokens, at most 12. Default: 9.
        dtype (torch.dtype): Of the pixels. Default: torch.float64.

    Returns:
        dict[str, Tensor]: ``pixels (P, 3, H, W)``; ``token_ids (P, L)`` int64, [CLS] 1, [SEP] 2, padding 0; bool
        ``token_mask (P, L)``, false on padding, of which the first row has none; bool ``masks (P, H, W)``.
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([length - (3 * row) % (length - 2) for row in range(rows)])
    token_mask = torch.arange(length) < lengths[:, None]
    token_ids = torch.randint(3, 40, (rows, length), generator=generator) * token_mask
    token_ids[:, 0] = 1
    token_ids[torch.arange(rows), lengths - 1] = 2
    return dict(
        pixels=torch.randn(rows, 3, *size, generator=generator, dtype=torch.float64).to(dtype),
        token_ids=token_ids,
        token_mask=token_mask,
        masks=torch.rand(rows, *size, generator=generator) < 0.3)
