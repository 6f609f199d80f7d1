"""What readers of rows with masks of their own have in common."""

from typing import Any, Dict, Sequence

from mmris.utils.ids import read_whole_number

from .opening import ParquetTable
from .source import Source, SourceFile


def has_columns(value: Any, *columns: str) -> bool:
    """Tell whether a value is a Parquet file with all these columns."""
    return isinstance(value, ParquetTable) and set(columns) <= set(value.columns)


def open_table(file: SourceFile, source: Source, columns: Sequence[str]) -> ParquetTable:
    """Open one of several Parquet files of a set.

    Args:
        file (SourceFile): The file.
        source (Source): The set.
        columns (Sequence[str]): The columns that it must have.

    Returns:
        ParquetTable: Its content.

    Raises:
        ValueError: If it is no Parquet file, or lacks a column.
    """
    table = file.value
    if not has_columns(table, *columns):
        there = f'it has the columns {", ".join(table.columns)}' if isinstance(table, ParquetTable) else \
            'it is not a Parquet file'
        raise ValueError(f'{file.path} is of another form than {source.files[0].path}: it needs the columns '
                         f'{", ".join(columns)}, but {there}. Name files of one set and one revision, such as '
                         f'"data/val*.parquet".')
    return table


def size_of_mask(segmentation: Any) -> Dict[str, int]:
    """Take the size of an image from a mask on it.

    Args:
        segmentation (Any): What a file has as the mask.

    Returns:
        dict[str, int]: ``height`` and ``width`` in pixels if it is an RLE with a size. Otherwise empty: the size is
        read from the image file, and the checks report the mask.
    """
    size = segmentation.get('size') if isinstance(segmentation, dict) else None
    sides = [read_whole_number(one) for one in size] if isinstance(size, (list, tuple)) else []
    if len(sides) != 2 or not all(side is not None and side > 0 for side in sides):
        return {}
    return dict(height=sides[0], width=sides[1])
