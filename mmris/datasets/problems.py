"""What is wrong with an entry of a data set."""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Tuple, Type

from mmengine.logging import print_log


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


class ProblemTally:
    """Counts problems by their kind, for those of which there may be thousands."""

    def __init__(self) -> None:
        self.counts: Counter = Counter()
        self._first: Dict[str, Problem] = {}

    def report(self, problem: Problem) -> None:
        """Take note of a problem."""
        self.counts[problem.kind] += 1
        self._first.setdefault(problem.kind, problem)

    def firsts(self) -> Iterator[Tuple[int, Problem]]:
        """Yield of each kind how many problems there were, and the first."""
        for kind, count in self.counts.items():
            yield count, self._first[kind]

    def skipped(self) -> Iterator[str]:
        """Tell of each kind how many were left out, and the first."""
        for count, first in self.firsts():
            yield f'{count:,} skipped: {first.kind}; the first: {first.message}'

    def warn(self, where: str) -> None:
        """Log a warning a kind: how many there were, and the first.

        Args:
            where (str): What they are of, to begin the warning.
        """
        for line in self.skipped():
            print_log(f'{where}: {line}', logger='current', level=logging.WARNING)
