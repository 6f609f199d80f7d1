"""The work of ``mmris analyze_logs``."""

import argparse
from pathlib import Path
from typing import Dict, List, Sequence

from mmris.evaluation import to_json
from mmris.utils import write_atomically
from mmris.utils.configs import check_output
from mmris.utils.tables import markdown_table
from mmris.utils.training_log import TrainingLog, read_training_log, summarise_log
from mmris.visualization.curves import draw_curves
from mmris.visualization.plots import FIGURE_SUFFIXES, save_figure


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, FIGURE_SUFFIXES)
    check_output(arguments.json)
    logs = {name: read_training_log(folder) for name, folder in name_runs(arguments.work_dirs).items()}
    summaries = {name: summarise_log(log) for name, log in logs.items()}
    print(format_summaries(summaries))
    save_figure(draw_curves(logs, arguments.keys), arguments.out)
    print(f'\n{arguments.out}: {", ".join(arguments.keys) if arguments.keys else "curves"} of {", ".join(logs)}')
    if arguments.json is not None:
        with write_atomically(arguments.json) as temporary:
            temporary.write_text(to_json({name: as_dict(logs[name], summaries[name]) for name in logs}))


def name_runs(folders: Sequence[str]) -> Dict[str, str]:
    """Call runs by the last part of their folders, or by the whole where two share it."""
    last = [Path(folder).resolve().name for folder in folders]
    return {name if last.count(name) == 1 else folder: folder for name, folder in zip(last, folders)}


def format_summaries(summaries: Dict[str, dict]) -> str:
    """A table of a line a quantity, a column a run."""
    cells = {name: dict(summary_cells(summary)) for name, summary in summaries.items()}
    quantities: List[str] = list(dict.fromkeys(quantity for column in cells.values() for quantity in column))
    rows = [[quantity, *(column.get(quantity, '-') for column in cells.values())] for quantity in quantities]
    return markdown_table(['', *cells], rows)


def summary_cells(summary: dict) -> list:
    """Name and text of each quantity of a run."""
    epoch = f' (epoch {summary["epochs"]})' if 'epochs' in summary else ''
    cells = [('steps', f'{summary["steps"]}{epoch}')]
    for name, metric in summary['metrics'].items():
        cells.append((f'{name}, best / last', f'{metric["best"]:.2f} ({metric["best_at"]}) / {metric["last"]:.2f}'))
    cells += [(f'{name}, last', f'{value:.4f}') for name, value in summary['losses'].items()]
    for name, found in summary['target_shares'].items():
        chance = 'not logged' if found['chance'] is None else f'{found["chance"]:.4f}'
        cells.append((f'target share of {name}, last / chance', f'{found["target_share"]:.4f} / {chance}'))
    if summary['seconds_per_step'] is not None:
        cells.append(('seconds a step', f'{summary["seconds_per_step"]:.3f}'))
    if summary['seconds_of_data'] is not None:
        cells.append(('  of it waiting for data', f'{summary["seconds_of_data"]:.3f}'))
    if summary['memory_megabytes'] is not None:
        cells.append(('GPU memory, MB', f'{summary["memory_megabytes"]}'))
    return cells


def as_dict(log: TrainingLog, summary: dict) -> dict:
    """All of a run, for those who plot it themselves."""
    return dict(summary=summary, training=log.training, validation=log.validation)
