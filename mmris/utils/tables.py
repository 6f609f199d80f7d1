"""Tables whose columns line up and are Markdown."""

from typing import List, Sequence

from wcwidth import wcswidth

from .terminal import one_line


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: bool = True) -> str:
    """Lay out rows below a heading.

    Columns line up where a terminal or an editor shows Chinese characters and emoji two columns wide.

    Args:
        heading (Sequence[str]): Names of the columns. They and the cells may hold any text: line breaks and control
            characters become spaces, and ``|`` becomes ``\\|``, which Markdown shows as ``|``.
        rows (Sequence[Sequence[object]]): Cells of each row; whole numbers get commas, others two decimals.
        numbers (bool): Whether all columns but the first hold numbers, and are aligned to the right. Default: True.

    Returns:
        str: The table, a line each for the heading, the rule below it and each row.
    """
    cells: List[List[str]] = [[_cell(value) for value in row] for row in (heading, *rows)]
    widths = [max(map(_columns, column)) for column in zip(*cells)]
    lines = [
        '| ' + ' | '.join(_pad(cell, width, to_the_right=numbers and place > 0)
                          for place, (cell, width) in enumerate(zip(row, widths))) + ' |' for row in cells
    ]
    ends = ['-', *(len(widths) - 1) * [':' if numbers else '-']]
    rule = '|' + '|'.join('-' * (width + 1) + end for width, end in zip(widths, ends)) + '|'
    return '\n'.join([lines[0], rule, *lines[1:]])


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'{value:,}'
    return f'{value:.2f}' if isinstance(value, float) else one_line(str(value)).replace('|', '\\|')


def _pad(cell: str, width: int, *, to_the_right: bool) -> str:
    space = ' ' * (width - _columns(cell))
    return space + cell if to_the_right else cell + space


def _columns(text: str) -> int:
    """How many columns of a terminal text takes; a letter with accents of its own takes one, an ideograph two."""
    # Less than none is what it says of text with a character that no terminal shows.
    return len(text) if text.isascii() else max(wcswidth(text), 0)
