"""What a training logged, over all its restarts."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from .ids import read_whole_number
from .json_files import JSON_ERRORS, explain
from .text import shorten

SCALARS = '*/vis_data/scalars.json'
COUNTERS = ('step', 'iter', 'epoch')
# What a branch of masked visual distillation measures, before the branch's name.
TARGET_SHARE, CHANCE = 'target_share_', 'chance_'
TIMES = ('time', 'data_time')


@dataclass(frozen=True)
class TrainingLog:
    """Rows of numbers, as MMEngine's logger wrote them.

    Attributes:
        training (list[dict]): In order; each with ``iter``, and ``epoch`` where the run counts them.
        validation (list[dict]): In order; each with ``iter``, the last step logged before it, and ``epoch`` likewise.
    """

    training: List[dict] = field(default_factory=list)
    validation: List[dict] = field(default_factory=list)

    def series(self, key: str) -> Tuple[np.ndarray, np.ndarray]:
        """Get steps and values of one number, of validation if it is logged there.

        Returns:
            tuple[ndarray, ndarray]: Two of one length, float64; empty if the number was not logged.
        """
        rows = self.validation if self.is_metric(key) else self.training
        points = [(row['iter'], row[key]) for row in rows if key in row]
        steps, values = zip(*points) if points else ((), ())
        return np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)

    def is_metric(self, key: str) -> bool:
        """Whether a number comes from validation alone; of what both log, such as times, training's is meant."""
        logged = any(key in row for row in self.validation) and not any(key in row for row in self.training)
        return logged and key not in TIMES + COUNTERS

    @property
    def losses(self) -> List[str]:
        """list[str]: The total first, then its parts."""
        names = {key: None for row in self.training for key in row if 'loss' in key}
        return sorted(names, key=lambda name: name != 'loss')

    @property
    def selecting_branches(self) -> List[str]:
        """list[str]: Distillation branches that logged their share of the target's patches."""
        names = {key: None for row in self.training for key in row if key.startswith(TARGET_SHARE)}
        return [name.removeprefix(TARGET_SHARE) for name in names]

    @property
    def metrics(self) -> List[str]:
        """list[str]: Numbers of validation, without times, counts and those of single skills."""
        names = {key: None for row in self.validation for key in row if self.is_metric(key) and '/' not in key}
        return [name for name in names if name != 'expressions']


def read_training_log(work_dir: Union[str, Path]) -> TrainingLog:
    """Read the scalars of a run, one file a start, ``<work_dir>/<time>/vis_data/scalars.json``.

    A start that goes on from step n replaces what an earlier one logged from n on: those steps were done again.

    Args:
        work_dir (str or Path): Work folder of a training.

    Raises:
        FileNotFoundError: If nothing is logged there.
        ValueError: If a line is not one of a log; the message names file and line. A torn last line, as a killed run
            leaves it, is left out.
    """
    paths = sorted(Path(work_dir).glob(SCALARS))
    if not paths:
        raise FileNotFoundError(
            f'There is no {SCALARS} in {work_dir}: give the work folder of a training, whose visualizer has a '
            f'LocalVisBackend.')
    log = TrainingLog()
    for path in paths:
        log = _continue(log, _read_rows(path))
    return log


def _read_rows(path: Path) -> List[dict]:
    rows = []
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line.decode('utf-8'))
            _check_row(row)
        except JSON_ERRORS as error:
            if number == len(lines) and not line.endswith(b'\n'):
                break
            raise ValueError(
                f'{path}, line {number} is no line of a log: {explain(error)}. Remove the line, or the folder '
                f'{path.parents[1].name}.') from error
        rows.append({_plain_name(key): value for key, value in row.items() if _is_number(value)})
    return rows


def _check_row(row: Any) -> None:
    if not isinstance(row, dict) or 'step' not in row:
        raise ValueError('it is no object with a "step"')
    wrong = next((name for name in COUNTERS if name in row and read_whole_number(row[name]) is None), None)
    if wrong is not None:
        raise ValueError(f'{wrong} in it is {shorten(row[wrong])} instead of a whole number')


def _is_number(value: Any) -> bool:
    # An integer of JSON may be larger than any float.
    return isinstance(value, float) or isinstance(value, int) and not isinstance(value, bool) and \
        abs(value) <= sys.float_info.max


def _plain_name(key: str) -> str:
    # As a log_processor with log_with_hierarchy writes them.
    return key.removeprefix('train/').removeprefix('val/')


def _continue(log: TrainingLog, rows: List[dict]) -> TrainingLog:
    start = min((row['iter'] for row in rows if 'iter' in row), default=float('inf'))
    training = [row for row in log.training if row['iter'] < start]
    validation = {row['step']: row for row in log.validation if row['iter'] < start}
    for row in rows:
        if 'iter' in row:
            training.append(row)
            continue
        # A validation is logged by epoch or by step; neither is more than the steps done.
        last = training[-1] if training else {}
        row = dict(row, iter=max(row['step'], last.get('iter', 0)))
        if 'epoch' in last:
            row['epoch'] = row['step']
        validation.pop(row['step'], None)
        validation[row['step']] = row
    return TrainingLog(training=training, validation=list(validation.values()))


def summarise_log(log: TrainingLog) -> Dict[str, Any]:
    """Sum up a run.

    Returns:
        dict: ``steps`` (and ``epochs``) done; ``losses``, the last logged by name; ``seconds_per_step`` and
        ``seconds_of_data`` of those waiting for data, means; ``memory_megabytes``, the most, None without a GPU;
        ``target_shares``: for each branch that logged it, the last ``target_share`` and ``chance``; and ``metrics``:
        for each ``last`` and ``best``, with ``last_at`` and ``best_at`` (epoch or step).
    """
    last = log.training[-1] if log.training else {}
    memory = [row['memory'] for row in log.training if 'memory' in row]
    summary = dict(steps=last.get('iter', 0))
    if 'epoch' in last:
        summary['epochs'] = last['epoch']
    summary.update(
        seconds_per_step=_mean(log, 'time'),
        seconds_of_data=_mean(log, 'data_time'),
        memory_megabytes=max(memory, default=None),
        losses={name: last[name] for name in log.losses if name in last},
        target_shares={
            name: dict(target_share=last[TARGET_SHARE + name], chance=last.get(CHANCE + name))
            for name in log.selecting_branches if TARGET_SHARE + name in last
        },
        metrics={name: _last_and_best(log, name) for name in log.metrics})
    return summary


def _mean(log: TrainingLog, key: str) -> Optional[float]:
    _, values = log.series(key)
    return float(values.mean()) if len(values) else None


def _last_and_best(log: TrainingLog, name: str) -> Dict[str, Any]:
    rows = [row for row in log.validation if name in row]
    values = np.array([row[name] for row in rows], dtype=np.float64)
    ranked = np.where(np.isnan(values), -np.inf, -values if 'loss' in name else values)
    best = int(ranked.argmax())
    return dict(last=rows[-1][name], last_at=_place(rows[-1]), best=rows[best][name], best_at=_place(rows[best]))


def _place(row: dict) -> str:
    return f'epoch {row["epoch"]}' if 'epoch' in row else f'step {row["iter"]}'
