"""BERT's weights as Hugging Face names them, at toy sizes."""

from typing import Dict

import torch
from torch import Tensor

LAYERS, CHANNELS, HEADS, FEEDFORWARD, VOCABULARY, POSITIONS = 2, 24, 4, 36, 40, 12
ARCHITECTURE = dict(
    layers=LAYERS,
    channels=CHANNELS,
    heads=HEADS,
    feedforward_channels=FEEDFORWARD,
    vocabulary=VOCABULARY,
    text_positions=POSITIONS)
_MAPS = (
    ('attention.self.query', CHANNELS, CHANNELS),
    ('attention.self.key', CHANNELS, CHANNELS),
    ('attention.self.value', CHANNELS, CHANNELS),
    ('attention.output.dense', CHANNELS, CHANNELS),
    ('intermediate.dense', FEEDFORWARD, CHANNELS),
    ('output.dense', CHANNELS, FEEDFORWARD),
)


def published(prefix: str = '', heads: bool = False) -> Dict[str, Tensor]:
    """Random weights, written out from the names in Hugging Face's files.

    Args:
        prefix (str): Of the body's keys. Default: ''.
        heads (bool): With those of the pretraining, and the pooler. Default: False.
    """
    shapes = {
        'embeddings.word_embeddings.weight': (VOCABULARY, CHANNELS),
        'embeddings.position_embeddings.weight': (POSITIONS, CHANNELS),
        'embeddings.token_type_embeddings.weight': (2, CHANNELS),
        **_norm('embeddings.LayerNorm'),
    }
    for layer in range(LAYERS):
        place = f'encoder.layer.{layer}'
        for name, outputs, inputs in _MAPS:
            shapes.update(_map(f'{place}.{name}', outputs, inputs))
        shapes.update({**_norm(f'{place}.attention.output.LayerNorm'), **_norm(f'{place}.output.LayerNorm')})
    if heads:
        shapes.update(_map('pooler.dense', CHANNELS, CHANNELS))
    shapes = {prefix + name: shape for name, shape in shapes.items()}
    if heads:
        shapes.update({
            'cls.predictions.bias': (VOCABULARY, ),
            **_map('cls.predictions.transform.dense', CHANNELS, CHANNELS),
            **_norm('cls.predictions.transform.LayerNorm'),
            **_map('cls.seq_relationship', 2, CHANNELS),
        })
    generator = torch.Generator().manual_seed(2)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def as_tensorflow(weights: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The same, with the norms' names of old files."""
    return {
        name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'): value
        for name, value in weights.items()
    }


def _map(name: str, outputs: int, inputs: int) -> Dict[str, tuple]:
    return {f'{name}.weight': (outputs, inputs), f'{name}.bias': (outputs, )}


def _norm(name: str) -> Dict[str, tuple]:
    return {f'{name}.weight': (CHANNELS, ), f'{name}.bias': (CHANNELS, )}
