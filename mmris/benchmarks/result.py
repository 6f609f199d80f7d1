"""What a benchmark gives: a ratio, and what it should be."""

import statistics
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence


@dataclass(frozen=True)
class Result:
    """A ratio that was measured in one run.

    Attributes:
        title (str): What is over what, such as ``'both branches over the baseline'``.
        ratios (list[float]): The ratio in each repetition.
        bound (float, optional): What multiply-adds make of it. Default: None, they say nothing.
        most (float, optional): The goal: the most that the ratio may be, over the bound if there is one. Default: None.
        least (float, optional): The goal: the least that the ratio may be, over the bound if there is one. Default:
            None.
        notes (dict): What else was found, such as seconds, by name; values of JSON.
    """

    title: str
    ratios: List[float]
    bound: Optional[float] = None
    most: Optional[float] = None
    least: Optional[float] = None
    notes: Dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """float: The median."""
        return statistics.median(self.ratios)

    @property
    def share(self) -> float:
        """float: The ratio over its bound, or the ratio if there is none: what the goal is about."""
        return self.ratio if self.bound is None else self.ratio / self.bound

    @property
    def reached(self) -> Optional[bool]:
        """bool or None: Whether the goal is reached. None: there is none."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.share <= self.most) and (self.least is None or self.share >= self.least)

    def describe_goal(self) -> str:
        """Say what the ratio should be: ``'at most 1.1 of the bound'``."""
        goals = [f'{word} {value:g}' for word, value in (('at most', self.most), ('at least', self.least))
                 if value is not None]
        return ', '.join(goals) + (' of the bound' if goals and self.bound is not None else '')


def ratios_of(over: Sequence[float], under: Sequence[float]) -> List[float]:
    """Divide seconds of one way by those of another, repetition by repetition."""
    return [one / other for one, other in zip(over, under)]
