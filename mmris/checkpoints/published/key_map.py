"""Two-way maps between the keys of other projects' weights and ours."""

import logging
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Callable, Dict, List, Mapping, Sequence, Tuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from ..files import State
from ..misfits import enumerate_keys

# Prefix of the weights that the published model has and no model of ours: kept for the conversion back.
EXCLUDED = 'excluded.'
_PLACEHOLDER = re.compile(r'\{(\w+)\}')


class KeyMapError(ValueError):
    """Weights with keys that a map does not know, or without keys that it needs."""


@dataclass(frozen=True)
class Rule:
    """What becomes of one tensor, or of some that belong together, in both directions.

    Keys are templates: ``{rest}`` stands for any text, every other name in braces (``{block}``) for text without a
    dot. All templates of a rule hold the same names.

    Args:
        theirs (tuple[str]): Keys of theirs that belong together.
        ours (tuple[str]): The keys of ours that hold the same.
        to_ours (callable): Makes the tensors of ours, in the order of their keys, from those of theirs.
        to_theirs (callable): The reverse.
        optional (int): How many of the last keys of ours may be missing: ``to_ours`` then returns fewer tensors, and
            ``to_theirs`` takes fewer. Default: 0.

    Raises:
        ValueError: If the templates hold different names.
    """
    theirs: Tuple[str, ...]
    ours: Tuple[str, ...]
    to_ours: Callable[[List[Tensor]], Sequence[Tensor]]
    to_theirs: Callable[[List[Tensor]], Sequence[Tensor]]
    optional: int = 0

    def __post_init__(self) -> None:
        names = {frozenset(_PLACEHOLDER.findall(template)) for template in self.theirs + self.ours}
        if len(names) > 1:
            raise ValueError(f'The keys of a rule hold different names in braces: {self.theirs} and {self.ours}.')

    def under(self, theirs: str, ours: str) -> 'Rule':
        """The rule for keys that stand behind prefixes, dots included. What is excluded, stays excluded."""
        return replace(
            self,
            theirs=tuple(theirs + key for key in self.theirs),
            ours=tuple(
                f'{EXCLUDED}{ours}{key.removeprefix(EXCLUDED)}' if key.startswith(EXCLUDED) else ours + key
                for key in self.ours))


@dataclass(frozen=True)
class Derived:
    """A tensor of theirs that follows from the others: checked when read, and not part of ours.

    Args:
        theirs (str): Its key.
        value (callable): Makes it from our weights.
        written (bool): Whether the converted weights get it; False for what only older files have.
            Defaults to True.
    """
    theirs: str
    value: Callable[[State], Tensor]
    written: bool = True


def rename(theirs: str, ours: str) -> Rule:
    """The same tensor under another key."""
    return Rule((theirs, ), (ours, ), lambda tensors: tensors, lambda tensors: tensors)


def transpose(theirs: str, ours: str) -> Rule:
    """A matrix that one side applies from the left, the other from the right."""
    return Rule((theirs, ), (ours, ), _transposed, _transposed)


def fuse(theirs: Sequence[str], ours: str) -> Rule:
    """Tensors of one shape that ours holds as one, one behind the other on the first dimension."""
    parts = tuple(theirs)
    # Copies: parts of one tensor share its memory, which safetensors refuses to write.
    return Rule(parts, (ours, ), _fused, lambda tensors: [part.clone() for part in _parts(tensors[0], len(parts))])


def _transposed(tensors: List[Tensor]) -> List[Tensor]:
    if tensors[0].dim() != 2:
        raise ValueError(f'a matrix was expected, not the shape {_format_shape(tensors[0])}')
    return [tensors[0].t().contiguous()]


def _fused(tensors: List[Tensor]) -> List[Tensor]:
    if len({(tensor.shape, tensor.dtype) for tensor in tensors}) > 1:
        found = ', '.join(f'{_format_shape(tensor)} of {tensor.dtype}' for tensor in tensors)
        raise ValueError(f'one shape and type were expected, not {found}')
    return [torch.cat(tensors)]


def _parts(tensor: Tensor, count: int) -> Sequence[Tensor]:
    if tensor.dim() == 0 or len(tensor) % count:
        raise ValueError(f'{count} equal parts were expected, not the shape {_format_shape(tensor)}')
    return tensor.chunk(count)


def _format_shape(tensor: Tensor) -> str:
    return f'({", ".join(map(str, tensor.shape))})'


@dataclass(frozen=True)
class KeyMap:
    """A format of weights by its rules. A key is taken by the first rule that knows it.

    Args:
        name (str): Whose format it is, for messages.
        rules (tuple[Rule]): What becomes of each key.
        derived (tuple[Derived]): Keys of theirs that follow from the others. Default: none.
        defaults (Mapping[str, callable]): Tensors that their format needs and ours may lack, by our keys: each is made
            from our weights, where they have no such tensor. Default: none.
        keeps_unknown (bool): Whether a key of theirs that no rule knows is excluded, with a warning, and goes back
            under its own name, instead of being an error: for formats of which we have not seen every file. Default:
            False.
    """
    name: str
    rules: Tuple[Rule, ...]
    derived: Tuple[Derived, ...] = ()
    defaults: Mapping[str, Callable[[State], Tensor]] = field(default_factory=dict)
    keeps_unknown: bool = False

    def has(self, key: str) -> bool:
        """Whether a rule knows a key of ours, or it is an excluded one and the map keeps what it does not know."""
        known = any(_pattern(template).fullmatch(key) for rule in self.rules for template in rule.ours)
        return known or self.keeps_unknown and key.startswith(EXCLUDED)

    def gives(self, ours: str, state: Mapping[str, Tensor]) -> bool:
        """Whether weights of theirs hold all that one of our keys is made from."""
        matches = ((rule, _pattern(template).fullmatch(ours)) for rule in self.rules for template in rule.ours)
        return any(
            all(template.format(**match.groupdict()) in state for template in rule.theirs)
            for rule, match in matches if match)

    def to_ours(self, state: Mapping[str, Tensor], source: str) -> State:
        """Convert weights of theirs.

        Args:
            state (Mapping[str, Tensor]): The weights.
            source (str): Where they come from, for messages.

        Returns:
            dict[str, Tensor]: The same weights by our keys, bit for bit.

        Raises:
            KeyMapError: If no rule knows a key, keys that belong together are not all there, tensors have shapes that
                their rule does not take, or a derived tensor is not what follows from the others.
        """
        derived = {derived.theirs: derived for derived in self.derived if derived.theirs in state}
        rest = {key: tensor for key, tensor in state.items() if key not in derived}
        steps = [(rule.theirs, rule.theirs, rule.ours, rule.to_ours) for rule in self.rules]
        unknown = self._set_unknown_apart(rest, [key for rule in self.rules for key in rule.theirs], '')
        if unknown:
            print_log(
                f'{source}: no rule of {self.name}\'s layout knows {enumerate_keys(sorted(unknown))}. These weights '
                f'are not used, but kept for the way back.', logger='current', level=logging.WARNING)
        ours = self._convert(rest, steps, f'{source}: from {self.name}\'s layout to ours')
        ours.update({EXCLUDED + key: tensor for key, tensor in unknown.items()})
        for key, entry in derived.items():
            _check_derived(key, state[key], _make(key, entry.value, ours, source), source)
        return ours

    def to_theirs(self, state: Mapping[str, Tensor], source: str) -> State:
        """Convert weights of ours; the reverse of :meth:`to_ours`.

        Args:
            state (Mapping[str, Tensor]): The weights.
            source (str): Where they come from, for messages.

        Returns:
            dict[str, Tensor]: The same weights by their keys, bit for bit, with the derived ones.

        Raises:
            KeyMapError: If no rule knows a key, or tensors have shapes that their rule does not take.
        """
        given = dict(state)
        for key, make in self.defaults.items():
            if key not in state:
                given[key] = _make(key, make, dict(state), source)
        steps = [(rule.ours, rule.ours[:len(rule.ours) - rule.optional], rule.theirs, rule.to_theirs)
                 for rule in self.rules]
        unknown = self._set_unknown_apart(given, [key for rule in self.rules for key in rule.ours], EXCLUDED)
        theirs = self._convert(given, steps, f'{source}: from our layout to {self.name}\'s')
        theirs.update({key.removeprefix(EXCLUDED): tensor for key, tensor in unknown.items()})
        theirs.update({
            entry.theirs: _make(entry.theirs, entry.value, dict(state), source)
            for entry in self.derived if entry.written
        })
        return theirs

    def _set_unknown_apart(self, state: State, templates: Sequence[str], prefix: str) -> State:
        """Take what no template knows out of weights, of keys with a prefix, if the map keeps it."""
        if not self.keeps_unknown:
            return {}
        unknown = [
            key for key in state
            if key.startswith(prefix) and not any(_pattern(template).fullmatch(key) for template in templates)
        ]
        return {key: state.pop(key) for key in unknown}

    def _convert(self, state: Mapping[str, Tensor], steps: List[tuple], direction: str) -> State:
        rest, result, missing, twice = dict(state), {}, [], []
        for sources, needed, targets, function in steps:
            for names, keys in _groups(rest, sources).items():
                for key in keys.values():
                    del rest[key]
                absent = [_fill(template, names) for template in needed if template not in keys]
                if absent:
                    missing += absent
                    continue
                given = [state[keys[template]] for template in sources if template in keys]
                converted = _apply(function, given, keys, direction)
                for target, tensor in zip((_fill(template, names) for template in targets), converted):
                    twice += [target] if target in result else []
                    result[target] = tensor
        problems = [('no rule knows', rest), ('missing beside others', missing), ('made from several keys', twice)]
        found = '; '.join(f'{what}: {", ".join(sorted(keys))}' for what, keys in problems if keys)
        if found:
            raise KeyMapError(f'{direction}, keys do not come out even: {found}.')
        return result


def _groups(state: State, templates: Sequence[str]) -> Dict[tuple, Dict[str, str]]:
    """Keys that one application of a rule takes, by template, for each filling of the names."""
    groups: Dict[tuple, Dict[str, str]] = {}
    for template in templates:
        pattern = _pattern(template)
        for key in state:
            match = pattern.fullmatch(key)
            if match:
                groups.setdefault(tuple(sorted(match.groupdict().items())), {})[template] = key
    return groups


@cache
def _pattern(template: str) -> re.Pattern:
    texts = _PLACEHOLDER.split(template)
    literals = [re.escape(text) for text in texts[0::2]]
    names = [f'(?P<{name}>{".+" if name == "rest" else "[^.]+"})' for name in texts[1::2]]
    return re.compile(''.join(part for pair in zip(literals, [*names, '']) for part in pair))


def _fill(template: str, names: tuple) -> str:
    return template.format(**dict(names))


def _apply(function: Callable, tensors: List[Tensor], keys: Mapping[str, str], direction: str) -> Sequence[Tensor]:
    try:
        return function(tensors)
    except ValueError as error:
        raise KeyMapError(f'{direction}: {", ".join(sorted(keys.values()))}: {error}.') from error


def _make(key: str, value: Callable[[State], Tensor], ours: State, source: str) -> Tensor:
    try:
        return value(ours)
    except KeyError as error:
        raise KeyMapError(f'{source}: {key} follows from {error}, which is missing.') from error


def _check_derived(key: str, given: Tensor, expected: Tensor, source: str) -> None:
    same = given.numel() == expected.numel() and bool((given.flatten() == expected.flatten()).all())
    if not same:
        raise KeyMapError(f'{source}: {key} is {given.tolist()}, but the other weights say {expected.tolist()}.')
