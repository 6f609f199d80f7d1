"""What is wrong with an entry of a data set."""

import logging
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Set, Tuple, Type

from mmengine.logging import print_log

from mmris.utils.terminal import one_line

# Of an entry's name or a message, in characters.
_LONGEST = 2000


def printable(text: str) -> str:
    """Text as a problem has it: on one line, and cut in the middle if it is very long."""
    text = one_line(text)
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST // 2]} ... {text[-_LONGEST // 2:]}'


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

    def __post_init__(self) -> None:
        # They quote names out of files, and go to terminals and reports.
        for name in ('entry', 'message'):
            object.__setattr__(self, name, printable(getattr(self, name)))


# A kind of what is mended without a loss, of masks of all sources.
SHORT_POLYGON = 'polygon of under three points'
SKIP_ADVICE = "Or set bad_data='skip' of the data set to leave it out."

# Told of each problem. It raises, or the entry is left out and reading goes on.
Report = Callable[[Problem], None]


def raise_problem(problem: Problem, advice: str = '') -> None:
    """Raise a problem as its error, with what else could be done at the end of its message."""
    raise problem.error(f'{problem.message} {advice}'.rstrip())


class ProblemTally:
    """Counts what is wrong by its kind, each broken entry once: there may be thousands."""

    def __init__(self) -> None:
        self._entries: Dict[str, Set[str]] = {}
        self._first: Dict[str, Problem] = {}

    def report(self, problem: Problem) -> None:
        """Take note of a problem."""
        self._entries.setdefault(problem.kind, set()).add(problem.entry)
        self._first.setdefault(problem.kind, problem)

    @property
    def counts(self) -> Dict[str, int]:
        """dict[str, int]: How many entries of each kind were reported."""
        return {kind: len(entries) for kind, entries in self._entries.items()}

    def firsts(self) -> Iterator[Tuple[int, Problem]]:
        """Yield of each kind how many entries there were, and the first problem."""
        for kind, count in self.counts.items():
            yield count, self._first[kind]

    def lines(self, done: str) -> Iterator[str]:
        """Say of each kind how many entries there were, what was done with them, and the first.

        Args:
            done (str): Such as ``'skipped'``.

        Yields:
            str: A line per kind.
        """
        for count, first in self.firsts():
            yield f'{count:,} {done}: {first.kind}; the first: {first.message}'

    def warn(self, where: str, done: str = 'skipped') -> None:
        """Log a warning per kind: how many entries there were, and the first.

        Args:
            where (str): What they are in, to begin the warning.
            done (str): What was done with them. Default: 'skipped'.
        """
        for line in self.lines(done):
            print_log(f'{where}: {line}', logger='current', level=logging.WARNING)
