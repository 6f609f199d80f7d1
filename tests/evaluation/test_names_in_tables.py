"""Reports about sets whose names and sentences are anything."""

import re

from mmris.evaluation import format_results, nest_metrics
from mmris.evaluation.ablation import format_ablation, summarise_ablation
from mmris.evaluation.error_analysis import analyse
from mmris.evaluation.error_tables import format_error_report
from tests.evaluation.test_error_analysis import row
from tests.utils.test_tables import cells_of

HOSTILE = '红|\none\u2028two\t\ud83d'
SHOWN = '红\0 one two �'


def squeezed(line: str) -> list:
    return [re.sub(' +', ' ', cell) for cell in cells_of(line)]


def test_results():
    scores = dict(mIoU=1.0, skill={HOSTILE: dict(mIoU=5.0)})
    splits, skills = (table.split('\n') for table in format_results({HOSTILE: scores}).split('\n\n'))
    assert squeezed(splits[2])[0] == SHOWN and len(splits) == len(skills) == 3
    assert squeezed(skills[0])[1] == squeezed(skills[2])[0] == squeezed(splits[2])[0]


def test_skills_whose_names_have_slashes():
    results = nest_metrics({
        'val/mIoU': 1.0, 'val/skill/colour/mIoU': 2.0, 'val/skill/size/large/mIoU': 3.0, 'val/skill/size/mIoU': 4.0,
        'testA/mIoU': 1.0})
    rows = [cells_of(line) for line in format_results(results).split('\n\n')[1].split('\n')[2:]]
    assert rows == [['colour', '2.00', '-'], ['size', '4.00', '-'], ['size/large', '3.00', '-']]


def test_error_report():
    rows = [row(5, 9, 2, text=HOSTILE, skills=[HOSTILE]), row(5, 9, 2, text=' \n ', skills=['`'])]
    page = format_error_report({HOSTILE: analyse(rows)}, 'a`` \n.jsonl')
    assert page.encode() and '\u2028' not in page and '\t' not in page
    assert page.startswith('# Errors\n\nFrom ```a``  .jsonl```.\n') and '\n## 红| one two �\n' in page
    for table in (part.split('\n') for part in page.strip().split('\n\n') if part.startswith('|')):
        assert len({len(cells_of(line)) for line in table if '---' not in line}) == 1
    assert any(cells_of(line)[0] == '(empty)' for line in page.split('\n'))


def test_ablation():
    runs = [dict(name=HOSTILE, seed=0, metrics={HOSTILE: dict(mIoU=50.0)})]
    table = format_ablation(summarise_ablation(runs, ['mIoU'])).split('\n')
    assert squeezed(table[2]) == [SHOWN, '50.00'] and len(table) == 3
