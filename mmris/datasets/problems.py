"""What is wrong with an entry of a data set."""

from dataclasses import dataclass
from typing import Callable, Type


@dataclass(frozen=True)
class Problem:
    """Something that makes an entry of a set unusable.

    Attributes:
        kind (str): What it is in two or three words, such as ``'missing annotation'``.
        entry (str): What is broken: ``'ref 5'``, ``'sentence 12'``, or the path of a file.
        message (str): What, where, what was expected and what to do.
        error (type): What it is raised as. Defaults to ValueError.
    """

    kind: str
    entry: str
    message: str
    error: Type[Exception] = ValueError


# Told of each problem. It raises, or the entry is left out and reading goes on.
Report = Callable[[Problem], None]


def raise_problem(problem: Problem) -> None:
    """Raise a problem as its error."""
    raise problem.error(problem.message)
