"""The scores of rows, one an expression, as the metric makes and dumps them."""

from typing import Dict, Sequence

import numpy as np

from mmris.protocols import Scoring, find_protocol

from .cases import Cases, summarise_cases


def is_rejected(row: dict) -> bool:
    """Tell whether a prediction is that nothing fits: by the row's ``rejected``; without it, by an empty mask."""
    return row.get('rejected', row['predicted_pixels'] == 0)


def scoring_of(rows: Sequence[dict]) -> Scoring:
    """Find how rows were scored.

    Args:
        rows (Sequence[dict]): Each with the name of its ``protocol``; ``'mmris'`` where it names none.

    Returns:
        Scoring: The protocol's.

    Raises:
        ValueError: If they were scored by several protocols, or by one that there is not.
    """
    names = sorted({row.get('protocol') or 'mmris' for row in rows})
    if len(names) > 1:
        raise ValueError(f'Predictions of one evaluation were made by the protocols {", ".join(names)}, whose scores '
                         f'differ. Evaluate each by itself.')
    return find_protocol(names[0]).scoring if names else Scoring()


def score_rows(rows: Sequence[dict], scoring: Scoring) -> Dict[str, float]:
    """Score rows.

    Args:
        rows (Sequence[dict]): At least one, in an order that does not depend on who computed what: means are summed in
            it.
        scoring (Scoring): The protocol's.

    Returns:
        dict[str, float]: See :func:`~mmris.evaluation.cases.summarise_cases`; and ``expressions``, their number.

    Raises:
        ValueError: If there is no row.
    """
    cases = Cases(
        intersection=np.array([row['intersection'] for row in rows], dtype=np.int64),
        union=np.array([row['union'] for row in rows], dtype=np.int64),
        iou=np.array([row['iou'] for row in rows], dtype=np.float64),
        targeted=np.array([row['target_pixels'] > 0 for row in rows], dtype=bool),
        rejected=np.array([is_rejected(row) for row in rows], dtype=bool))
    return dict(summarise_cases(cases, scoring), expressions=len(rows))
