"""What a part of the examination found."""

from dataclasses import dataclass, field
from typing import Dict, List, Sequence


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        what (str): What is wrong, in whole sentences.
        remedy (str): What to do about it, in whole sentences.
    """

    what: str
    remedy: str


@dataclass
class Section:
    """What was found about one thing.

    Attributes:
        title (str): What it is about.
        facts (dict[str, str]): What was found, by what it is called.
        problems (list[Problem]): What is wrong.
    """

    title: str
    facts: Dict[str, str] = field(default_factory=dict)
    problems: List[Problem] = field(default_factory=list)

    def blame(self, what: str, remedy: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(what, remedy))


def format_sections(sections: Sequence[Section]) -> str:
    """Lay out what was found, and after it what is wrong."""
    width = max(len(name) for section in sections for name in section.facts)
    lines: List[str] = []
    for section in sections:
        lines += [section.title, *(f'  {name:<{width}}  {value}' for name, value in section.facts.items()), '']
    problems = [problem for section in sections for problem in section.problems]
    if not problems:
        return '\n'.join([*lines, 'Nothing is wrong.'])
    count = 'One thing is wrong:' if len(problems) == 1 else f'{len(problems)} things are wrong:'
    lines.append(count)
    for number, problem in enumerate(problems, start=1):
        lines += [f'{number}. {problem.what}', f'   {problem.remedy}']
    return '\n'.join(lines)
