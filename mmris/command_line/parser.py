"""The parser of a command's arguments."""

import argparse
from typing import Iterable, Sequence


class CommandParser(argparse.ArgumentParser):
    """A parser of arguments that takes no shortened options: a script stays right when an option is added.

    Args:
        by_name (bool): Whether ``--model NAME`` is on the command line, which stands for the positional arguments
            CONFIG and CHECKPOINT. They are then not declared, so that the others have their usual places.
            Default: False.
        **settings: Those of :class:`argparse.ArgumentParser`.

    Attributes:
        intermixed (bool): Whether positional arguments may stand before and after options.
    """

    def __init__(self, *, by_name: bool = False, **settings: object) -> None:
        super().__init__(**{'allow_abbrev': False, **settings})
        self.by_name = by_name
        self.intermixed = False

    def read(self, given: Sequence[str]) -> argparse.Namespace:
        """Read arguments, by :attr:`intermixed`."""
        return self.parse_intermixed_args(given) if self.intermixed else self.parse_args(given)


def suggest(action: argparse.Action, values: Iterable[str]) -> None:
    """Name values that a shell completes an argument with, though it takes others too.

    Args:
        action (Action): What ``add_argument`` returned.
        values (Iterable[str]): Such as the names of the zoo.
    """
    action.suggested = tuple(values)
