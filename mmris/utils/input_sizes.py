"""How large a config's inputs are, and made-up inputs of that size: to count and to measure with."""

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence

import torch
from mmengine.config import Config
from torch import nn

from mmris.datasets.pipelines import is_geometry
from mmris.names import USUAL_TOKENS
from mmris.registry import TRANSFORMS
from mmris.structures import ExpressionBatch, ImageInputs, ImageView, InstanceMasks
from mmris.tokenizers import Vocabulary

from .modules import type_name

# Ids that any vocabulary has.
_IDS = 8


@dataclass(frozen=True)
class InputSizes:
    """How large an image and a sentence are when they enter a model.

    Attributes:
        shape (Sequence[int]): Height and width of the main view in pixels.
        tokens (int): Tokens of a sentence.
        views (dict[str, Sequence[int]]): Height and width of other views, by their names.
        instances (int): Instance masks of an image, of models that they enter.
    """

    shape: Sequence[int]
    tokens: int
    views: Dict[str, Sequence[int]] = field(default_factory=dict)
    instances: int = 0

    def image(self, encoder: nn.Module, count: int = 1) -> ImageInputs:
        """Make images of random pixels, which fill their views.

        Args:
            encoder (nn.Module): The encoder that is to look at them.
            count (int): How many. Default: 1.

        Returns:
            ImageInputs: A row for each, on PyTorch's default device.
        """
        found = InstanceMasks(
            masks=torch.ones(count, self.instances, *self.shape, dtype=torch.bool),
            present=torch.ones(count, self.instances, dtype=torch.bool)) if encoder.takes_instances else None
        main = _random_view(self.shape, count)
        return ImageInputs(main.pixels, main.box, found, {
            name: _random_view(size, count) for name, size in self.views.items()
        })

    def expressions(self, count: int, images: int = 1) -> ExpressionBatch:
        """Make sentences of as many tokens as they may have.

        Args:
            count (int): How many about each image.
            images (int): Images. Default: 1.

        Returns:
            ExpressionBatch: So many rows for each image, on PyTorch's default device.
        """
        rows = count * images
        return ExpressionBatch(
            token_ids=(torch.arange(rows)[:, None] + torch.arange(self.tokens)) % _IDS,
            token_mask=torch.ones(rows, self.tokens, dtype=torch.bool),
            image_index=torch.arange(images).repeat_interleave(count),
            # What masks words costs the same whichever id is [MASK].
            vocabulary=Vocabulary(size=_IDS, special=(), mask=0))


def read_input_sizes(config: Config,
                     shape: Optional[Sequence[int]] = None,
                     tokens: Optional[int] = None,
                     instances: int = 0) -> InputSizes:
    """Read off a config's test pipeline how large its inputs are.

    Args:
        config (Config): A config whose pipelines are resolved. Files that it names need not be there.
        shape (Sequence[int], optional): Height and width of the main view instead of the pipeline's. Default: None.
        tokens (int, optional): Tokens instead of the pipeline's. Default: None.
        instances (int): Instance masks. Default: 0.

    Returns:
        InputSizes: The sizes.

    Raises:
        ValueError: If one is neither given nor in a test pipeline; the message names the option to give.
    """
    steps = config.get('test_dataloader', {}).get('dataset', {}).get('pipeline', [])
    if shape is None:
        # Of several views the main one is the last.
        shape = TRANSFORMS.build(_last_step(steps, is_geometry, '--shape HEIGHT WIDTH')).size
    if tokens is None:
        # Not built: a tokenizer may want a file.
        tokenizer = _last_step(steps, lambda step: type_name(step) == 'Tokenize', '--tokens NUMBER')['tokenizer']
        tokens = USUAL_TOKENS if tokenizer.get('pad_to_longest') else tokenizer['context_length']
    others = [step for step in steps if is_geometry(step) and 'view' in step]
    return InputSizes(
        tuple(shape), tokens, {step['view']: tuple(TRANSFORMS.build(step).size) for step in others}, instances)


def describe_sizes(sizes: InputSizes, takes_instances: bool) -> str:
    """Say how large inputs are: ``'416 x 416 pixels, 17 tokens'``, and how many instance masks a model takes in."""
    described = f'{sizes.shape[0]} x {sizes.shape[1]} pixels, {sizes.tokens} tokens'
    return f'{described}, {sizes.instances} instance masks' if takes_instances else described


def _random_view(size: Sequence[int], count: int) -> ImageView:
    height, width = size
    return ImageView(
        torch.randn(count, 3, height, width), torch.tensor([[0.0, 0.0, width, height]]).repeat(count, 1))


def _last_step(steps: List[dict], is_one: Callable[[dict], bool], option: str) -> dict:
    found = [step for step in steps if is_one(step)]
    if not found:
        raise ValueError(f'The test pipeline of the config does not say it: give {option}.')
    return found[-1]
