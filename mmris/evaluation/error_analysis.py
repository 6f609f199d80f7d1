"""Where a model fails: by the target's size, the sentence's length, the skill it needs, and in which way."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Union

import numpy as np

from mmris.protocols import Scoring
from mmris.utils.ids import id_order
from mmris.utils.json_files import parse_json
from mmris.utils.text import shorten

from .expression_rows import is_rejected, score_rows, scoring_of

NUMBERS = ('intersection', 'union', 'iou', 'predicted_pixels', 'target_pixels', 'image_pixels')
# How a row was scored. Rows that say nothing of it are taken, too.
SCORED_BY = ('protocol', 'resampling', 'threshold')
NEEDED = ('text', 'img_id', 'ref_id', 'sent_id', *NUMBERS)
# Of pixels: beyond it NumPy has no integers.
_LARGEST = 2**53

GOOD, POOR, WRONG = 'good', 'poor mask', 'wrong object'
MISSED, REFUSED = 'nothing predicted', 'wrongly rejected'
NOTHING, INVENTED = 'rightly nothing', 'nothing to find'
OUTCOMES = (GOOD, POOR, WRONG, MISSED, INVENTED, NOTHING, REFUSED)
GOOD_ABOVE, WRONG_BELOW = 0.5, 0.1

# Lower edges, of the target's share of the image in percent and of the number of words.
NO_TARGET = 'no target'
SHARES = (0, 1, 2, 5, 10, 20, 50)
WORDS = (0, 1, 2, 3, 4, 5, 6, 8, 11)


def read_expression_rows(path: Union[str, Path]) -> Dict[str, List[dict]]:
    """Read what ``mmris test --dump`` or ``dump_file`` of the metric wrote.

    Args:
        path (str or Path): A file of a line of JSON an expression.

    Returns:
        dict[str, list[dict]]: Rows by split, in the file's order; by ``'all'`` where none is named.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no line, or one that is not JSON, or lacks a number, or has something else in its place;
            the message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no {path}: make it with mmris test --dump {path}.')
    splits: Dict[str, List[dict]] = {}
    # As text, lines would also end at separators that sentences may hold, such as U+2028.
    with open(path, 'rb') as file:
        for number, line in enumerate(file, 1):
            row = _read_row(line, f'{path}, line {number}')
            splits.setdefault(row.get('split', 'all'), []).append(row)
    if not splits:
        raise ValueError(f'{path} is empty: no expression was scored. Make it again with mmris test --dump.')
    return splits


def _read_row(line: bytes, where: str) -> dict:
    again = 'Make the file again with mmris test --dump.'
    row = parse_json(line, where, again)
    if not isinstance(row, dict):
        raise ValueError(f'{where} must be an object with {", ".join(NEEDED)}, but is {shorten(row)}. {again}')
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise ValueError(f'{where} lacks {", ".join(missing)}. {again}')
    for names, is_right, expected in _RIGHT:
        wrong = next((name for name in names if name in row and not is_right(row[name])), None)
        if wrong is not None:
            raise ValueError(f'{where}: {wrong} must be {expected}, but is {shorten(row[wrong])}. {again}')
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


# What stands under some names, where it is there; NaN and infinity are no numbers. An image has pixels.
_RIGHT = (
    (NUMBERS, _is_number, 'a number'),
    (('image_pixels', ), lambda value: value > 0, 'a number above 0'),
    (('text', 'split'), lambda value: isinstance(value, str), 'text'),
    (('protocol', 'resampling'), _is_text_or_none, 'a name or null'),
    (('rejected', ), lambda value: isinstance(value, bool), 'true or false'),
    (('skills', ), lambda value: value is None or isinstance(value, list) and all(
        isinstance(one, str) for one in value), 'a list of texts or null'),
)


def outcome(row: dict) -> str:
    """Tell how a prediction came out.

    Whether a prediction is rejected is said by the row's ``rejected``; in a row without it, by an empty mask.

    Returns:
        str: Without a target, ``'rightly nothing'``: rejected; or ``'nothing to find'``: not rejected. With a target,
        ``'nothing predicted'``: an empty mask; ``'wrongly rejected'``: rejected in spite of its mask; ``'good'``: IoU
        above 0.5; ``'wrong object'``: IoU below 0.1, most of the mask lies off the target, and most of the target is
        left out; ``'poor mask'``: all else.
    """
    empty = row['predicted_pixels'] == 0
    rejected = is_rejected(row)
    if row['target_pixels'] == 0:
        return NOTHING if rejected else INVENTED
    if empty:
        return MISSED
    if rejected:
        return REFUSED
    if row['iou'] > GOOD_ABOVE:
        return GOOD
    off = row['intersection'] < 0.5 * min(row['predicted_pixels'], row['target_pixels'])
    return WRONG if row['iou'] < WRONG_BELOW and off else POOR


def target_share(row: dict) -> float:
    """The target's share of the image, in percent."""
    return 100 * row['target_pixels'] / row['image_pixels']


def share_bin(row: dict) -> str:
    """The bin of :func:`target_share`, such as ``'1-2 %'``; ``'no target'`` if there is none."""
    if not row['target_pixels']:
        return NO_TARGET
    return _bin_names(SHARES, ' %')[_last_edge(SHARES, target_share(row))]


def words_bin(row: dict) -> str:
    """The bin of the number of words, split at spaces, such as ``'6-7'``."""
    return _bin_names(WORDS, '')[_last_edge(WORDS, len(row['text'].split()))]


def analyse(rows: Sequence[dict], worst: int = 12) -> Dict[str, Any]:
    """Break the scores of one split down.

    Args:
        rows (Sequence[dict]): As :func:`read_expression_rows` reads them.
        worst (int): How many of the worst expressions to list. Defaults to 12.

    Returns:
        dict: ``scores`` of all, by their protocol; ``scored_by``, what :func:`find_scored_by` gives; ``mean`` and
        ``overall``, the names of the mean and of the overall IoU; ``outcome``, ``share``, ``words`` and ``skill``
        (empty without tags): for each group of rows, by name, what :func:`summarise_rows` gives; and ``worst``, rows
        with their ``outcome``.

    Raises:
        ValueError: If the rows were scored by several protocols, or by one that there is not.
    """
    scoring = scoring_of(rows)
    groups = dict(
        outcome=_group(rows, outcome, OUTCOMES),
        share=_group(rows, share_bin, (NO_TARGET, *_bin_names(SHARES, ' %'))),
        words=_group(rows, words_bin, _bin_names(WORDS, '')))
    skills = sorted({skill for row in rows for skill in row.get('skills') or ()})
    groups['skill'] = {skill: [row for row in rows if skill in (row.get('skills') or ())] for skill in skills}
    tables = {
        name: {group: summarise_rows(members, rows, scoring) for group, members in members_by_name.items()}
        for name, members_by_name in groups.items()
    }
    return dict(
        scores=score_rows(rows, scoring),
        scored_by=find_scored_by(rows),
        mean=scoring.mean,
        overall=scoring.overall,
        **tables,
        worst=[dict(row, outcome=outcome(row)) for row in worst_rows(rows, worst)])


def find_scored_by(rows: Sequence[dict]) -> List[dict]:
    """Find by what rows were scored.

    Args:
        rows (Sequence[dict]): As :func:`read_expression_rows` reads them.

    Returns:
        list[dict]: For each way in which some were scored, ``protocol``, ``resampling`` (None: the protocol's own) and
        ``threshold``; each is None if the rows do not say it.
    """
    found: List[dict] = []
    for row in rows:
        scored = {name: row.get(name) for name in SCORED_BY}
        if scored not in found:
            found.append(scored)
    return found


def summarise_rows(rows: Sequence[dict], every: Sequence[dict], scoring: Scoring) -> Dict[str, float]:
    """Score a group of rows.

    Args:
        rows (Sequence[dict]): The group's, at least one.
        every (Sequence[dict]): All rows of the split.
        scoring (Scoring): The protocol's.

    Returns:
        dict[str, float]: ``expressions``; in percent ``share`` of the split, the protocol's scores, ``precision`` (how
        much of the mask lies on the target) and ``recall`` (how much of the target is covered), means over those where
        they are defined; and ``lost``, the points that the group takes from the split's mean IoU.
    """
    return dict(
        score_rows(rows, scoring),
        share=100 * len(rows) / len(every),
        precision=_mean_ratio(rows, 'predicted_pixels'),
        recall=_mean_ratio(rows, 'target_pixels'),
        lost=sum(100 * (1 - row['iou']) for row in _averaged(rows, scoring)) / max(1, len(_averaged(every, scoring))))


def worst_rows(rows: Sequence[dict], number: int) -> List[dict]:
    """The rows of lowest IoU; among equals, those with the largest target first."""
    return sorted(rows, key=lambda row: (row['iou'], -target_share(row), id_order(row['sent_id'])))[:number]


def _group(rows: Sequence[dict], name_of: Callable[[dict], str], names: Sequence[str]) -> Dict[str, List[dict]]:
    groups: Dict[str, List[dict]] = {name: [] for name in names}
    for row in rows:
        groups[name_of(row)].append(row)
    return {name: members for name, members in groups.items() if members}


def _bin_names(edges: Sequence[int], unit: str) -> List[str]:
    names = []
    for low, high in zip(edges, edges[1:]):
        # Of a count the last one that belongs to it, of a share the edge.
        high = high if unit else high - 1
        names.append(f'{low}-{high}{unit}' if high > low else f'{low}{unit}')
    return [*names, f'{edges[-1]}{unit} or more']


def _last_edge(edges: Sequence[int], value: float) -> int:
    return int(np.searchsorted(edges, value, side='right')) - 1


def _averaged(rows: Sequence[dict], scoring: Scoring) -> List[dict]:
    """The rows whose IoUs the protocol's mean is taken over."""
    return [row for row in rows if row['target_pixels'] or not scoring.iou_of_targets]


def _mean_ratio(rows: Sequence[dict], whole: str) -> float:
    ratios = [row['intersection'] / row[whole] for row in rows if row[whole]]
    return 100 * float(np.mean(ratios)) if ratios else float('nan')
