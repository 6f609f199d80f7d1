"""Architectures of transformers that take text, alone or with an image: by name, and by the shapes of weights."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Union

from torch import Tensor

from .model import PublishedWeights

Architecture = Dict[str, int]
# A file is of a named architecture if these agree: fine-tuning changes others.
_IDENTIFYING = ('layers', 'channels', 'feedforward_channels')


@dataclass(frozen=True)
class Architectures:
    """The sizes that a model was published in, and where its weights show their own.

    Args:
        title (str): What the model is called in messages.
        named (dict[str, dict[str, int]]): All measures of each size, by name; with ``base``.
        layers (str): With what our keys of its layers begin, before their number.
        feedforward (str): Our key of the first linear map of a layer's feedforward.
        vocabulary (str): The words that it was published with, for a message.
        text_positions (str): Our key of the text's positions. Default: ``'text_positions'``.
        other_positions (int, optional): Rows of the image's positions that belong to no patch. Default: None, it takes
            no images.
    """
    title: str
    named: Mapping[str, Architecture]
    layers: str
    feedforward: str
    vocabulary: str
    text_positions: str = 'text_positions'
    other_positions: Optional[int] = None

    def complete(self, architecture: Union[str, dict]) -> Architecture:
        """Give all measures of an architecture.

        Args:
            architecture (str or dict): A name, or some of the measures: those left out are those of the one that
                ``name`` names, by default base's, but for ``feedforward_channels``, which is then four times
                ``channels``.

        Returns:
            dict[str, int]: Each measure.

        Raises:
            ValueError: If it is or has no known name, or has entries that are no measures.
            ValueError: If a measure is no positive whole number, or they do not go together.
        """
        known = self.named
        changes = dict(architecture) if isinstance(architecture, dict) else dict(name=architecture)
        name = changes.pop('name', 'base')
        measures = ', '.join(known['base'])
        # Not a look-up: what is no name may have no hash.
        if name not in list(known):
            raise ValueError(f'architecture {name!r} is no {self.title}. Known: {", ".join(known)}, or a dict of one '
                             f'of these as name and what it has otherwise of {measures}.')
        unknown = [str(measure) for measure in changes if measure not in known[name]]
        if unknown:
            raise ValueError(f'architecture has entries that {self.title} has not: {", ".join(unknown)}. It takes '
                             f'name, {measures}.')
        complete = {**known[name], **changes}
        for measure, value in complete.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f'{measure} of the architecture must be a whole number of at least 1, but got {value!r}.')
        if 'feedforward_channels' not in changes:
            complete['feedforward_channels'] = 4 * complete['channels']
        for whole, part in (('channels', 'heads'), ('image_size', 'patch_size')):
            if whole in complete and complete[whole] % complete[part]:
                raise ValueError(f'{whole} of the architecture must be a multiple of {part}, but got '
                                 f'{complete[whole]} and {complete[part]}.')
        return complete

    def measure(self, state: Mapping[str, Tensor]) -> Optional[Architecture]:
        """Read the measures of weights off their shapes.

        Args:
            state (Mapping[str, Tensor]): Weights of an encoder, by our keys.

        Returns:
            dict[str, int] or None: All of its architecture but ``heads``, which shapes do not show. None if the
            weights are not whole.
        """
        try:
            vocabulary, channels = state['word_embedding.weight'].shape
            return dict(
                layers=len({key.split('.')[1] for key in state if key.startswith(self.layers)}),
                channels=channels,
                feedforward_channels=len(state[self.feedforward]),
                **({} if self.other_positions is None else self._measure_image(state, self.other_positions)),
                vocabulary=vocabulary,
                text_positions=len(state[self.text_positions]))
        except (KeyError, IndexError, ValueError):
            # A key is missing, or has another number of dimensions.
            return None

    @staticmethod
    def _measure_image(state: Mapping[str, Tensor], other_positions: int) -> Architecture:
        patch_size = state['patch_embedding.weight'].size(3)
        positions, _ = state['image_positions'].shape
        return dict(patch_size=patch_size, image_size=patch_size * math.isqrt(positions - other_positions))

    def describe(self, weights: PublishedWeights) -> str:
        """Name the measures of weights.

        Raises:
            ValueError: If the weights are not whole.
        """
        measures = self.measure(weights.state)
        if measures is None:
            raise ValueError(f'{weights.source} does not hold a whole {self.title}.')
        return ', '.join(f'{name} {value}' for name, value in measures.items())

    def advise(self, state: Mapping[str, Tensor], _: Any, architecture: Architecture) -> str:
        """Say of which architecture weights are, and what to set for it; empty if they are of this one."""
        measures = self.measure(state)
        if measures is None:
            return f'The file does not hold a whole {self.title}.'
        differing = {name: value for name, value in measures.items() if architecture[name] != value}
        if not differing:
            return ''
        advice = self._name_architecture(measures) or self._list_differences(differing, architecture)
        if 'vocabulary' in differing:
            advice += (f' Its {differing["vocabulary"]} words are those of the tokenizer that it was trained with: set '
                       f'that one in the config too (for {self.title} itself {self.vocabulary}).')
        return advice

    def _name_architecture(self, measures: Architecture) -> str:
        for name, known in self.named.items():
            if all(measures[one] == known[one] for one in _IDENTIFYING):
                changes = {one: value for one, value in measures.items() if known[one] != value}
                listed = ', '.join((f'name={name!r}', *(f'{one}={value}' for one, value in changes.items())))
                return f'It is of architecture={f"dict({listed})" if changes else repr(name)}: set that.'
        return ''

    @staticmethod
    def _list_differences(differing: Architecture, architecture: Architecture) -> str:
        found = ', '.join(f'{name}={value} instead of {architecture[name]}' for name, value in differing.items())
        heads = ' Its heads, which shapes do not tell, can be others too.' if 'channels' in differing else ''
        return f'Set in architecture what the file has: {found}.{heads}'
