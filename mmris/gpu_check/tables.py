"""Tables of a report, one for each kind of part."""

from typing import Any, Callable, Dict, List, Optional

from mmris.utils.tables import markdown_table

Row, Machine = Dict[str, Any], Dict[str, Any]
_NAMES = dict(plain='', checkpointing=' + checkpointing', compiled=' + compile')


def evaluation_table(rows: List[Row], machine: Machine) -> str:
    """Seconds of whole evaluations, beside the model's, the goal and the bound."""
    heading = ['config', 'precision', 'images', 'expressions', 'wall, s', 'model, s', 'wall / model', 'goal, s',
               'at the peak, s', 'peak MiB']
    cells = [[
        *_named(row), row['images'], row['expressions'], row['wall_seconds'], row['model_seconds'],
        row['wall_seconds'] / row['model_seconds'], row['goal_seconds'] or '-', _seconds_at_peak(row, machine),
        _mebibytes(row)
    ] for row in rows if 'wall_seconds' in row]
    return _with_notes(heading, cells, rows)


def steps_table(rows: List[Row], machine: Machine) -> str:
    """Seconds of steps, images a second, memory, and the share of the card's peak."""
    heading = ['config', 'precision', 'step', 'images', 'expressions', 'seconds', 'images/s', 'peak MiB', 'T/s',
               'share of peak', 'first step, s']
    cells = [[
        *_named(row), row['step'], row['images'], row['expressions'], f'{row["seconds"]:.4f}',
        row['images_per_second'], _mebibytes(row), _teraflops(row), _share(row, machine), row['first_seconds']
    ] for row in rows if 'seconds' in row]
    note = 'T/s: 10^12 operations a second, two for each multiply-add that the step needs; what checkpointing ' \
           'computes again is not counted. The first step prepares memory, kernels and compiled code.'
    return f'{_with_notes(heading, cells, rows)}\n\n{note}'


def losses_table(rows: List[Row], machine: Machine) -> str:
    """Losses by precision."""
    cells = [[
        row['config'], *(_number(row['losses'], name, '.5f') for name in ('float32', 'bfloat16', 'float16')),
        *(_number(row['difference'], name, '.1e') for name in ('bfloat16', 'float16'))
    ] for row in rows if 'losses' in row]
    heading = ['config', 'float32', 'bfloat16', 'float16', 'bfloat16, relative', 'float16, relative']
    return _with_notes(heading, cells, rows)


def distributed_table(rows: List[Row], machine: Machine) -> str:
    """Trainings in several processes."""
    cells = [[
        row['config'], row['group'], row['backend'], row['steps'], row['synchronised'],
        'yes' if row['same_weights'] else 'no'
    ] for row in rows if 'group' in row]
    return _with_notes(['config', 'processes', 'backend', 'steps', 'SyncBatchNorms', 'same weights'], cells, rows)


def restart_table(rows: List[Row], machine: Machine) -> str:
    """Resumed trainings against uninterrupted ones."""
    cells = [[row['config'], row['tensors'], row['different'], f'{row["largest_difference"]:.1e}'] for row in rows
             if 'tensors' in row]
    return _with_notes(['config', 'tensors', 'different', 'largest difference'], cells, rows)


def describe_row(row: Row) -> str:
    """Say in one line what a row holds, as progress."""
    about = ', '.join(str(row[name]) for name in ('config', 'pass', 'precision', 'step') if name in row)
    if 'error' in row:
        return f'{about}: {row["error"]["type"]}: {(row["error"]["message"].splitlines() or [""])[0]}'
    if 'left_out' in row or 'problem' in row:
        return f'{about}: {row.get("left_out") or row["problem"]}'
    if 'wall_seconds' in row:
        return f'{about}: {row["wall_seconds"]:.1f} s, {row["model_seconds"]:.1f} s of them the model\'s'
    if 'seconds' in row:
        return f'{about}: {row["seconds"]:.4f} s, {row["images_per_second"]:.1f} images/s'
    return f'{about}: good'


def _named(row: Row) -> List[str]:
    return [row['config'], row['precision'] + _NAMES[row.get('pass', 'plain')]]


def _teraflops(row: Row) -> float:
    return 2 * row['multiply_adds'] / row['seconds'] / 1e12


def _share(row: Row, machine: Machine) -> str:
    peak: Optional[float] = machine['peak_teraflops']
    return f'{_teraflops(row) / peak:.1%}' if peak else '-'


def _seconds_at_peak(row: Row, machine: Machine) -> Any:
    peak: Optional[float] = machine['peak_teraflops']
    return 2 * row['multiply_adds'] / (peak * 1e12) if peak else '-'


def _number(values: Dict[str, float], name: str, form: str) -> str:
    return format(values[name], form) if name in values else '-'


def _mebibytes(row: Row) -> Any:
    return '-' if row['peak_mebibytes'] is None else round(row['peak_mebibytes'])


def _with_notes(heading: List[str], cells: List[list], rows: List[Row]) -> str:
    """A table, and below it a line for each row that has no numbers, or wrong ones."""
    notes = [f'- {describe_row(row)}' for row in rows if {'error', 'problem'} & set(row)]
    # The same reason for many rows.
    left_out = dict.fromkeys(row['left_out'] for row in rows if 'left_out' in row)
    notes += [f'- Left out: {reason}.' for reason in left_out]
    blocks = [markdown_table(heading, cells)] if cells else []
    return '\n\n'.join([*blocks, *(['\n'.join(notes)] if notes else [])])


TABLES: Dict[str, Callable[[List[Row], Machine], str]] = dict(
    evaluation=evaluation_table, steps=steps_table, losses=losses_table, distributed=distributed_table,
    restart=restart_table, compile=steps_table)
