"""Published models whose weights an encoder takes: which architectures are known of them, and which a file is of."""

from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional, Union

from torch import Tensor

from mmris.checkpoints import JointWeights

Architecture = Dict[str, int]
# By what a file of theirs is known, whatever it was fine-tuned on.
_OF_A_NAME = ('layers', 'channels', 'feedforward_channels')


@dataclass(frozen=True)
class PublishedModel:
    """What is known of a model that others published.

    Args:
        name (str): What it is called in messages.
        architectures (dict[str, dict[str, int]]): All measures of each of its sizes, by name; with ``base``.
        read (callable): Reads its weights from a file, ``(path, trust) -> JointWeights``.
        measure (callable): Reads the measures that shapes tell off weights; None if they are not whole.
    """
    name: str
    architectures: Mapping[str, Architecture]
    read: Callable[[str, bool], JointWeights]
    measure: Callable[[Mapping[str, Tensor]], Optional[Architecture]]

    def complete(self, architecture: Union[str, dict]) -> Architecture:
        """All measures of an architecture.

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
        known = self.architectures
        changes = dict(architecture) if isinstance(architecture, dict) else dict(name=architecture)
        name = changes.pop('name', 'base')
        measures = ', '.join(known['base'])
        # Not a look-up: what is no name may have no hash.
        if name not in list(known):
            raise ValueError(f'architecture {name!r} is no {self.name}. Known: {", ".join(known)}, or a dict of one of '
                             f'these as name and what it has otherwise of {measures}.')
        unknown = [str(measure) for measure in changes if measure not in known[name]]
        if unknown:
            raise ValueError(f'architecture has entries that {self.name} has not: {", ".join(unknown)}. It takes '
                             f'name, {measures}.')
        complete = {**known[name], **changes}
        for measure, value in complete.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f'{measure} of the architecture must be a whole number of at least 1, but got {value!r}.')
        if 'feedforward_channels' not in changes:
            complete['feedforward_channels'] = 4 * complete['channels']
        for whole, part in (('channels', 'heads'), ('image_size', 'patch_size')):
            if complete[whole] % complete[part]:
                raise ValueError(f'{whole} of the architecture must be a multiple of {part}, but got '
                                 f'{complete[whole]} and {complete[part]}.')
        return complete

    def read_file(self, path: str, trust: bool) -> JointWeights:
        """Read weights from a file.

        Args:
            path (str): A file or an address.
            trust (bool): Also read a file that holds more than tensors.

        Returns:
            JointWeights: The weights.

        Raises:
            FileNotFoundError: If there is no such file; the message tells where published ones are named.
            ValueError: If it cannot be read, or has keys that are not the model's.
        """
        try:
            return self.read(path, trust)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error} docs/pretrained.md tells where {self.name}\'s files come from, and how to name one that '
                f'lies elsewhere.') from error

    def find_others(self, state: Mapping[str, Tensor], architecture: Architecture) -> Optional[Architecture]:
        """The measures of weights that an architecture has otherwise; None if the weights are not whole."""
        measures = self.measure(state)
        if measures is None:
            return None
        return {name: value for name, value in measures.items() if architecture[name] != value}

    def advise(self, state: Mapping[str, Tensor], architecture: Architecture) -> str:
        """Say of which architecture weights are, and what to set for it; empty if of this one."""
        measures, others = self.measure(state), self.find_others(state, architecture)
        if others is None:
            return f'The file does not hold a whole {self.name}.'
        if not others:
            return ''
        for name, known in self.architectures.items():
            if all(measures[one] == known[one] for one in _OF_A_NAME):
                changes = {one: value for one, value in measures.items() if known[one] != value}
                listed = ', '.join((f'name={name!r}', *(f'{one}={value}' for one, value in changes.items())))
                return f'It is of architecture={f"dict({listed})" if changes else repr(name)}: set that.'
        found = ', '.join(f'{name}={value} instead of {architecture[name]}' for name, value in others.items())
        heads = ' Its heads, which shapes do not tell, can be others too.' if 'channels' in others else ''
        return f'Set in architecture what the file has: {found}.{heads}'
