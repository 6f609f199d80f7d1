"""Tables whose columns line up and are Markdown."""

from typing import List, Sequence


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows below a heading: the first column to the left, the others to the right.

    Args:
        heading (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence[object]]): Cells of each row; whole numbers get commas, others two decimals.

    Returns:
        str: The table.
    """
    cells: List[List[str]] = [list(heading), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        '| ' + ' | '.join(cell.rjust(width) if place else cell.ljust(width)
                          for place, (cell, width) in enumerate(zip(row, widths))) + ' |' for row in cells
    ]
    rule = '|' + '|'.join('-' * (width + 1) + (':' if place else '-') for place, width in enumerate(widths)) + '|'
    return '\n'.join([lines[0], rule, *lines[1:]])


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'{value:,}'
    return f'{value:.2f}' if isinstance(value, float) else str(value)
