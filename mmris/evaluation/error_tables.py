"""An analysis of errors as Markdown."""

import re
from typing import Any, Dict, Sequence

from mmris.utils.tables import markdown_table
from mmris.utils.terminal import one_line

from .error_analysis import GOOD_ABOVE, WRONG_BELOW
from .tables import format_table

_SECTIONS = (
    ('outcome', 'outcome', 'How predictions come out'),
    ('share', 'target', 'By the target\'s share of the image'),
    ('words', 'words', 'By the number of words'),
    ('skill', 'skill', 'By skill (a sentence may need several)'),
)
_LEGEND = f"""\
All in percent. *share*: of the split's expressions. *lost*: the points that a group takes from the split's mean IoU
(mIoU or gIoU); they add up to 100 less the mean. *precision*: how much of the mask lies on the target; *recall*: how
much of the target is covered.

- **good**: IoU above {GOOD_ABOVE}.
- **wrong object**: IoU below {WRONG_BELOW}, most of the mask off the target, most of the target left out.
- **poor mask**: neither; too large where precision is low, too small where recall is.
- **nothing predicted**: an empty mask. **wrongly rejected**: a mask, but the protocol takes the answer as nothing.
- **rightly nothing**: there is no target, and the answer is nothing. **nothing to find**: there is no target, and the
  answer is a mask."""


def format_error_report(analyses: Dict[str, Dict[str, Any]], source: str) -> str:
    """Lay out analyses as a page of Markdown.

    Args:
        analyses (dict[str, dict]): What :func:`~mmris.evaluation.error_analysis.analyse` gave, by split.
        source (str): Where the rows came from. It, sentences and names of splits and skills may hold any text.

    Returns:
        str: The page; UTF-8 can encode it.
    """
    scores = {split: analysis['scores'] for split, analysis in analyses.items()}
    parts = [f'# Errors\n\nFrom {_code(source)}.', format_table(scores, first='split'), _LEGEND]
    for split, analysis in analyses.items():
        parts.append(f'## {one_line(split)}\n\nScored by {" and ".join(map(name_scored_by, analysis["scored_by"]))}.')
        for name, first, heading in _SECTIONS:
            if analysis[name]:
                table = format_table(analysis[name], first=first, columns=_columns(name, analysis))
                parts.append(f'### {heading}\n\n{table}')
        parts.append(f'### The worst\n\n{_worst(analysis["worst"])}')
    return '\n\n'.join(parts) + '\n'


def name_scored_by(scored: Dict[str, Any]) -> str:
    """Name the protocol and threshold that scored rows, as a part of a sentence.

    Args:
        scored (dict): One of what :func:`~mmris.evaluation.error_analysis.find_scored_by` gives.
    """
    if scored['protocol'] is None:
        return 'a protocol and threshold that the rows do not name'
    resampling = '' if scored['resampling'] is None else f', resampling {one_line(str(scored["resampling"]))}'
    return f'protocol {one_line(str(scored["protocol"]))}{resampling}, threshold {one_line(str(scored["threshold"]))}'


def _columns(section: str, analysis: Dict[str, Any]) -> Sequence[str]:
    mean, overall = analysis['mean'], analysis['overall']
    if section == 'outcome':
        return 'expressions', 'share', mean, 'precision', 'recall', 'lost'
    chosen = [name for name in ('N-acc', 'T-acc', 'Acc', 'Pr@0.5') if name in analysis['scores']]
    # A sentence may need several skills: what they lose does not add up.
    return ('expressions', 'share', mean, overall, *chosen, *(() if section == 'skill' else ('lost', )))


def _worst(rows: list) -> str:
    cells = []
    for row in rows:
        text = one_line(row['text']).strip() or '(empty)'
        # Ids are names: no commas in them.
        ids = [str(row[name]) for name in ('img_id', 'ref_id', 'sent_id')]
        cells.append([text, f'{100 * row["iou"]:.1f}', row['outcome'], *ids])
    return markdown_table(['sentence', 'IoU', 'outcome', 'image', 'ref', 'sentence id'], cells)


def _code(text: str) -> str:
    """Text as a span of code: between more backticks than it has in a row."""
    text = one_line(text)
    fence = '`' * (1 + max(map(len, re.findall('`+', text)), default=0))
    space = ' ' if text.startswith('`') or text.endswith('`') else ''
    return f'{fence}{space}{text}{space}{fence}'
