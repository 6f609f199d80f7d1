"""The form in which a published model is described: one file of this folder for each model.

:class:`PublishedModel` holds what is known of a model, :class:`Layout` what is known of one way to store its weights.
Reading, converting and loading (:mod:`.reading`, :mod:`.converting`, :mod:`.loading`) work on these alone, so that
none of them knows a model by name.
"""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from torch import Tensor

from ..files import State, read_checkpoint, read_tensors
from .key_map import EXCLUDED, KeyMap, KeyMapError

#: What our own layout is called on the command line, and the suffixes of its files.
OURS, OUR_SUFFIXES = 'mmris', ('.pth', '.safetensors')


@dataclass(frozen=True)
class PublishedWeights:
    """Weights of a published model, whatever layout they were stored in.

    Attributes:
        state (dict[str, Tensor]): By our keys, those below the model's ``root``.
        excluded (dict[str, Tensor]): What the published model has and no model of ours, such as heads of its tasks.
        source (str): The file that they come from.
        quick_gelu (bool, optional): Whether they were trained with QuickGELU, not GELU. None if nothing says so, or
            if the model never uses QuickGELU.
        others (tuple[str]): Keys of the file that are not the published model's: the rest of a model trained here.
    """

    state: State
    excluded: State
    source: str
    quick_gelu: Optional[bool] = None
    others: Tuple[str, ...] = ()

    def part(self, prefix: str) -> State:
        """The weights whose keys begin with a prefix, by their keys without it."""
        return {key.removeprefix(prefix): value for key, value in self.state.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class ConfigFile:
    """A file beside the weights that describes their model.

    Args:
        name (str): Its name.
        read_quick_gelu (callable): Reads off its content whether the weights were trained with QuickGELU; None if it
            does not say.
        make (callable, optional): Makes its content for weights. With it, the layout is written to a folder, which
            gets this file and ``model.safetensors``. Default: None.
    """
    name: str
    read_quick_gelu: Callable[[Dict[str, Any]], Optional[bool]]
    make: Optional[Callable[[PublishedWeights], Dict[str, Any]]] = None


@dataclass(frozen=True)
class Layout:
    """One way in which weights of a published model are stored.

    Args:
        name (str): What it is called on the command line. Two layouts share a name if they differ in details alone.
        key_map (KeyMap): Its keys and ours.
        matches (callable): Whether weights are in this layout, by their keys.
        suffixes (tuple[str]): Suffixes of the files that are written. Default: (), it is read only.
        entry (str, optional): Key under which its code looks for the weights in a file of ``torch.save``. Default:
            None, the file holds nothing else.
        joined (Mapping[str, str]): Entries of such a file in which parts of the model stand apart from ``entry``, each
            with the prefix that its keys have in ``key_map``. Default: none.
        prefix (str): What stands before each key in its files, from whatever wrapped the model. Default: ''.
        quick_gelu (bool, optional): The activation that its code always computes: QuickGELU or GELU. Default: None.
        config (ConfigFile, optional): The file beside the weights. Default: None.
    """
    name: str
    key_map: KeyMap
    matches: Callable[[Mapping[str, Tensor]], bool]
    suffixes: Tuple[str, ...] = ()
    entry: Optional[str] = None
    joined: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ''
    quick_gelu: Optional[bool] = None
    config: Optional[ConfigFile] = None

    @property
    def is_folder(self) -> bool:
        """bool: Whether it is written to a folder."""
        return self.config is not None and self.config.make is not None

    @property
    def is_written(self) -> bool:
        """bool: Whether it is written at all."""
        return self.is_folder or bool(self.suffixes)

    def to_ours(self, state: Mapping[str, Tensor], source: str) -> State:
        """Convert weights of theirs: see :meth:`KeyMap.to_ours`.

        Raises:
            KeyMapError: As there, or if all of the weights of an entry that stands apart are missing.
        """
        for entry, prefix in self.joined.items():
            if not any(key.startswith(prefix) for key in state):
                raise KeyMapError(
                    f'{source}: weights of {self.key_map.name} are missing: there is neither an entry `{entry}` beside '
                    f'`{self.entry}`, nor are there {prefix}* in it. Give a file that has them.')
        return self.key_map.to_ours(state, source)


@dataclass(frozen=True)
class PublishedModel:
    """A model that others published: the layouts of its weights, and what else is needed to use them.

    Our own layout, ``'mmris'``, needs no entry: its keys are those that the key maps convert to.

    Args:
        name (str): What it is called on the command line.
        title (str): What it is called in messages.
        layouts (tuple[Layout]): Its published layouts. The first that matches a file is taken, one with ``core`` before
            all others.
        matches_ours (callable): Whether weights are in our layout, by their keys.
        core (tuple[tuple[str]]): Groups of our keys below ``root``. Where all keys of a group are in a file, it holds
            the model, and not a part of another model that happens to have a prefix of the same name.
        describe (callable): Names the architecture of weights in a few words, or raises a ValueError if the model is
            not whole.
        root (str): Prefix of our keys in a model trained here. Default: ``'encoder.'``.
        whole (bool): Whether it is a whole model, whose files stand where a checkpoint does. Its ``root`` is ''.
            Default: False.
        parts (tuple[str]): Prefixes of its keys below ``root``, if other keys stand beside them there. Default: all
            keys below ``root`` are its own.
        additions (tuple[str]): Prefixes of keys that our encoder has and the published model does not. Files in our
            layout keep them, files in other layouts do not. Default: none.
        ignored (tuple[str]): Prefixes of such keys that are never read. Default: none.
        quick_gelu_keys (callable): Gives, for weights, the keys under which our layout stores whether they use
            QuickGELU. Default: no such keys.
        tensors_alone (bool): Whether its files hold objects beside the weights, which are left out. Default: False.
        find_tag (callable, optional): Finds weights that are named by a tag, not by a path: ``(tag, architecture) ->
            (path, quick_gelu)``. Default: None, there are no tags.
        advise (callable): Says what to set if weights do not fit an encoder: ``(weights, expected, architecture) ->
            text``. Default: nothing.
        fit (callable): Drops what a particular encoder does not need, both from the weights and from the weights that
            it expects: ``(weights, expected) -> (weights, expected)``. Default: nothing is dropped.
    """
    name: str
    title: str
    layouts: Tuple[Layout, ...]
    matches_ours: Callable[[Mapping[str, Tensor]], bool]
    core: Tuple[Tuple[str, ...], ...]
    describe: Callable[[PublishedWeights], str]
    root: str = 'encoder.'
    whole: bool = False
    parts: Tuple[str, ...] = ('', )
    additions: Tuple[str, ...] = ()
    ignored: Tuple[str, ...] = ()
    quick_gelu_keys: Callable[[Mapping[str, Tensor]], Tuple[str, ...]] = lambda state: ()
    tensors_alone: bool = False
    find_tag: Optional[Callable[[str, Any], Tuple[str, Optional[bool]]]] = None
    advise: Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Any], str] = lambda *_: ''
    fit: Callable[[State, State], Tuple[State, State]] = lambda state, expected: (state, expected)

    @property
    def written(self) -> Dict[str, Optional[Layout]]:
        """dict[str, Layout or None]: The layouts that can be written, by name; ours is None."""
        return {OURS: None, **{layout.name: layout for layout in self.layouts if layout.is_written}}

    @property
    def joined(self) -> Dict[str, str]:
        """dict[str, str]: Entries of its files that stand apart, each with the prefix that its keys get."""
        return {entry: prefix for layout in self.layouts for entry, prefix in layout.joined.items()}

    def read_file(self, path: str, **options: Any) -> Dict[str, Any]:
        """Read one of its files, or one of a model trained here.

        Args:
            path (str): The file.
            **options: See :func:`~mmris.checkpoints.files.read_tensors`.

        Raises:
            FileNotFoundError, UnreadableCheckpointError: As there.
        """
        read = read_tensors if self.tensors_alone else read_checkpoint
        return read(path, joined=self.joined, **options)

    @property
    def asks_activation(self) -> bool:
        """bool: Whether some of its layouts do not say if the weights use QuickGELU."""
        return any(layout.config is not None for layout in self.layouts)

    def find_layout(self, state: Mapping[str, Tensor]) -> Optional[Layout]:
        """Find the published layout of weights, by their keys; None if they are in none of them."""
        matching = [layout for layout in self.layouts if layout.matches(state)]
        return next((layout for layout in matching if self._has_core(layout, state)), next(iter(matching), None))

    def is_in(self, state: Mapping[str, Tensor]) -> bool:
        """Whether weights in one of its layouts, or in ours, have a group of ``core``: see :meth:`knows`."""
        layout = self.find_layout(state)
        if layout is not None and self._has_core(layout, state):
            return True
        below = self.below(state)
        return any(all(key in given for key in group) for given in (state, below) for group in self.core)

    def _has_core(self, layout: Layout, state: Mapping[str, Tensor]) -> bool:
        return any(all(layout.key_map.gives(key, state) for key in group) for group in self.core)

    def knows(self, state: Mapping[str, Tensor]) -> bool:
        """Whether weights are in one of its layouts, or in ours, alone or within a model trained here."""
        return self.find_layout(state) is not None or self.matches_ours(state) or self.matches_ours(self.below(state))

    def below(self, state: Mapping[str, Tensor]) -> State:
        """The weights below ``root`` by their keys there, and those that are excluded."""
        return {
            key.removeprefix(self.root): value
            for key, value in state.items() if key.startswith((self.root, EXCLUDED))
        }

    def has(self, key: str) -> bool:
        """Whether a key of ours is that of a weight which the published model has."""
        return any(layout.key_map.has(key) for layout in self.layouts)


def activation_name(quick_gelu: Optional[bool]) -> str:
    """What an activation is called in messages."""
    return {True: 'QuickGELU', False: 'GELU', None: 'activation not known'}[quick_gelu]
