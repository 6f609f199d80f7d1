"""The command that brings published weights of a joint transformer to our layout, and ours back."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from mmris.utils import write_atomically
from mmris.utils.configs import check_inputs
from mmris.version import __version__

from .joint_weights import JointWeights
from .key_maps.key_map import LEFT_OUT, State
from .publishing import FORMATS, serialise


@dataclass(frozen=True)
class JointConverter:
    """How weights of one published model are converted.

    Args:
        name (str): What the model is called in messages.
        layout (str): What its layout is called on the command line.
        formats (tuple[str]): Suffixes of files of its layout, which ``torch.save`` writes.
        entry (str): What its own code looks for weights under.
        read (callable): Reads a file, ``(path, trust, trust_option) -> JointWeights``.
        measure (callable): Reads the measures off weights; None if they are not whole.
        to_theirs (callable): Converts weights of ours, ``(state, source) -> state``.
        find_foreign (callable): Finds the keys of ours that its layout has no place for.
    """
    name: str
    layout: str
    formats: Tuple[str, ...]
    entry: str
    read: Callable[[str, bool, str], JointWeights]
    measure: Callable[[Mapping[str, Tensor]], Optional[Dict[str, int]]]
    to_theirs: Callable[[State, str], State]
    find_foreign: Callable[[State], List[str]]

    def main(self) -> None:
        """Run the command: read its arguments, convert, write, and print what was written and what was not.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file cannot be read, or does not hold the whole model.
        """
        arguments = self._parse_arguments()
        check_inputs(weights=arguments.weights)
        weights = self.read(arguments.weights, arguments.trust, '--trust')
        architecture = self._describe(weights)
        out, foreign = Path(arguments.out), []
        state = {**weights.encoder, **{LEFT_OUT + name: value for name, value in weights.left_out.items()}}
        if arguments.to == self.layout:
            foreign = self.find_foreign(state)
            state = self.to_theirs({key: value for key, value in state.items() if key not in foreign}, weights.source)
        with write_atomically(out) as temporary:
            if arguments.to == self.layout:
                torch.save({self.entry: {name: value.clone() for name, value in state.items()}}, temporary)
            else:
                temporary.write_bytes(serialise(state, dict(mmris_version=__version__), out.suffix[1:]))
        print(f'{out}: {len(state)} tensors of {self.name} ({architecture})')
        modules = {'.'.join(key.split('.')[:2]) for key in weights.others}
        modules |= {key.removeprefix(LEFT_OUT).partition('.')[0] for key in foreign}
        if modules:
            print(f'Left out, no part of {self.name}: {", ".join(sorted(modules))}')

    def _parse_arguments(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(
            description=f'Convert weights of {self.name}, published ones to ours and back.')
        parser.add_argument('weights', help='file of either layout, or checkpoint of a model trained here')
        theirs = ' or '.join(f'.{suffix}' for suffix in self.formats)
        parser.add_argument('out', help=f'file to write, .pth or .safetensors; for {self.layout} {theirs}')
        parser.add_argument(
            '--to', choices=('mmris', self.layout), default='mmris', help='layout to write (default: %(default)s)')
        parser.add_argument(
            '--trust', action='store_true',
            help='also read a file that holds more than tensors, by running what it says')
        arguments = parser.parse_args()
        formats = FORMATS if arguments.to == 'mmris' else self.formats
        if Path(arguments.out).suffix[1:] not in formats:
            parser.error(f'{arguments.out} must end with .{" or .".join(formats)}')
        return arguments

    def _describe(self, weights: JointWeights) -> str:
        measures = self.measure(weights.encoder)
        if measures is None:
            raise ValueError(f'{weights.source} does not hold a whole {self.name}.')
        return ', '.join(f'{name} {value}' for name, value in measures.items())
