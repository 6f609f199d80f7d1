"""Where a model fails."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmris.evaluation.error_analysis import (
    analyse,
    outcome,
    read_expression_rows,
    share_bin,
    target_share,
    words_bin,
    worst_rows,
)
from mmris.evaluation.error_tables import format_error_report

SKILLS = ('colour', 'place', 'shape')


def row(predicted: int, target: int, intersection: int, text: str = 'a b', image: int = 1000, **more) -> dict:
    """Row of a prediction of so many pixels."""
    union = predicted + target - intersection
    iou = intersection / union if union else 1.0
    ids = dict(img_id=1, ref_id=2, sent_id=3)
    return dict(dict(ids, text=text, intersection=intersection, union=union, iou=iou, predicted_pixels=predicted,
                     target_pixels=target, image_pixels=image), **more)


def random_rows(number: int = 300, seed: int = 0) -> list:
    generator = np.random.default_rng(seed)
    rows = []
    for place in range(number):
        predicted, target = generator.integers(0, 500, 2) * (generator.random(2) > 0.1)
        intersection = generator.integers(0, min(predicted, target) + 1)
        skills = [skill for skill in SKILLS if generator.random() > 0.5]
        text = ' '.join(['word'] * generator.integers(0, 14))
        rows.append(row(int(predicted), int(target), int(intersection), text, sent_id=place, skills=skills))
    return rows


@pytest.mark.parametrize('made, wanted', [
    (row(100, 100, 80), 'good'),
    (row(0, 0, 0), 'rightly nothing'),
    (row(0, 100, 0), 'nothing predicted'),
    (row(100, 0, 0), 'nothing to find'),
    (row(100, 100, 0), 'wrong object'),
    (row(100, 100, 10), 'wrong object'),
    (row(100, 100, 60), 'poor mask'),
    (row(900, 40, 40), 'poor mask'),
    (row(40, 900, 40), 'poor mask'),
    (row(100, 200, 100), 'poor mask'),
    # A protocol that asks the model whether anything fits.
    (row(100, 0, 0, rejected=True), 'rightly nothing'),
    (row(0, 0, 0, rejected=False), 'nothing to find'),
    (row(100, 100, 100, rejected=True), 'wrongly rejected'),
    (row(0, 100, 0, rejected=True), 'nothing predicted'),
    (row(0, 100, 0, rejected=False), 'nothing predicted'),
    (row(100, 100, 80, rejected=False), 'good'),
])
def test_outcomes(made, wanted):
    assert outcome(made) == wanted


def test_bins():
    edges = {0: 'no target', 1: '0-1 %', 9: '0-1 %', 10: '1-2 %', 19: '1-2 %', 20: '2-5 %', 499: '20-50 %',
             500: '50 % or more'}
    for target, name in edges.items():
        assert share_bin(row(1, target, 0)) == name
    words = {0: '0', 1: '1', 6: '6-7', 7: '6-7', 8: '8-10', 10: '8-10', 11: '11 or more', 40: '11 or more'}
    for number, name in words.items():
        assert words_bin(row(1, 1, 0, text=' '.join(['word'] * number))) == name


def test_numbers_are_those_of_a_slow_computation():
    rows = random_rows()
    analysis = analyse(rows)
    belongs = dict(
        outcome=lambda one, name: outcome(one) == name,
        share=lambda one, name: share_bin(one) == name,
        words=lambda one, name: words_bin(one) == name,
        skill=lambda one, name: name in one['skills'])
    for table, belong in belongs.items():
        for name, scores in analysis[table].items():
            members = [one for one in rows if belong(one, name)]
            ious = [one['iou'] for one in members]
            precisions = [one['intersection'] / one['predicted_pixels'] for one in members if one['predicted_pixels']]
            recalls = [one['intersection'] / one['target_pixels'] for one in members if one['target_pixels']]
            unions = sum(one['union'] for one in members)
            slow = {
                'expressions': len(members),
                'share': 100 * len(members) / 300,
                'mIoU': 100 * sum(ious) / len(ious),
                'oIoU': 100 * sum(one['intersection'] for one in members) / unions if unions else float('nan'),
                **{f'Pr@{x}': 100 * sum(iou > x for iou in ious) / len(ious) for x in (0.5, 0.6, 0.7, 0.8, 0.9)},
                'precision': 100 * sum(precisions) / len(precisions) if precisions else float('nan'),
                'recall': 100 * sum(recalls) / len(recalls) if recalls else float('nan'),
                'lost': 100 * sum(1 - iou for iou in ious) / 300,
            }
            assert scores == pytest.approx(slow, nan_ok=True)


def test_groups_hold_each_expression_once_and_losses_add_up():
    analysis = analyse(random_rows())
    for table in ('outcome', 'share', 'words'):
        assert sum(group['expressions'] for group in analysis[table].values()) == 300
        lost = sum(group['lost'] for group in analysis[table].values())
        assert lost == pytest.approx(100 - analysis['scores']['mIoU'])
    assert list(analysis['skill']) == sorted(SKILLS)


def test_the_worst():
    small, large, half = row(9, 10, 0, sent_id=1), row(9, 90, 0, sent_id=2), row(10, 20, 10, sent_id=0)
    assert [one['sent_id'] for one in worst_rows([half, small, large], 3)] == [2, 1, 0]
    listed = analyse([half, small, large], worst=1)['worst']
    assert listed == [dict(large, outcome='wrong object')]
    assert target_share(large) == 9


def write(path: Path, *lines: object) -> Path:
    text = ''.join((line if isinstance(line, str) else json.dumps(line)) + '\n' for line in lines)
    path.write_text(text, encoding='utf-8')
    return path


def test_rows_by_split(tmp_path):
    path = write(tmp_path / 'rows.jsonl', row(1, 2, 1, split='val'), row(1, 3, 1, split='testA'),
                 row(1, 4, 1, split='val'))
    rows = read_expression_rows(path)
    assert {split: [one['target_pixels'] for one in members] for split, members in rows.items()} == dict(
        val=[2, 4], testA=[3])
    # The metric itself does not know of splits.
    assert list(read_expression_rows(write(path, row(1, 2, 1)))) == ['all']


@pytest.mark.parametrize('separator', ['\u2028', '\u2029', '\x85'])
def test_separators_in_a_sentence_end_no_line(tmp_path, separator):
    text = f'left{separator}one'
    made = [row(1, 2, 1, text=text), row(1, 3, 1)]
    # As the metric writes them.
    path = write(tmp_path / 'rows.jsonl', *(json.dumps(one, ensure_ascii=False) for one in made))
    assert read_expression_rows(path) == dict(all=made)


@pytest.mark.parametrize('line, text', [
    ('{"iou": 0.5', 'line 2 is not JSON .* Make the file again with mmris test --dump'),
    ('', 'line 2 is not JSON'),
    ([1, 2], r'line 2 must be an object with text, img_id, .*, but is \[1, 2\]\. Make the file again'),
    (dict(text='a', img_id=1, ref_id=2, sent_id=3, intersection=1, union=2, iou=0.5),
     'line 2 lacks predicted_pixels, target_pixels, image_pixels. Make the file again'),
    (dict(row(1, 2, 1), iou='0.5'), "line 2: iou must be a number, but is '0.5'"),
    (dict(row(1, 2, 1), union=None), 'line 2: union must be a number, but is None'),
])
def test_malformed_lines_are_named(tmp_path, line, text):
    path = write(tmp_path / 'rows.jsonl', row(1, 2, 1), line)
    with pytest.raises(ValueError, match=f'{path}, {text}'):
        read_expression_rows(path)


def test_no_rows(tmp_path):
    with pytest.raises(FileNotFoundError, match='make it with mmris test --dump'):
        read_expression_rows(tmp_path / 'rows.jsonl')
    with pytest.raises(ValueError, match='rows.jsonl is empty: no expression was scored'):
        read_expression_rows(write(tmp_path / 'rows.jsonl'))


@pytest.mark.parametrize('scored, said', [
    ([{}], 'a protocol and threshold that the rows do not name'),
    ([dict(protocol='mmris', resampling=None, threshold=0.35)], 'protocol mmris, threshold 0.35'),
    ([dict(protocol='cris', threshold=0.5), dict(protocol='cris', resampling='bilinear', threshold=0.5)],
     'protocol cris, threshold 0.5 and protocol cris, resampling bilinear, threshold 0.5'),
])
def test_what_scored_the_rows(scored, said):
    analysis = analyse([row(1, 2, 1, **one) for one in scored for _ in range(2)])
    names = ('protocol', 'resampling', 'threshold')
    assert analysis['scored_by'] == [{name: one.get(name) for name in names} for one in scored]
    assert f'## val\n\nScored by {said}.\n\n### How' in format_error_report(dict(val=analysis), 'rows.jsonl')


def test_page():
    rows = dict(val=random_rows(40), testA=[row(100, 0, 0, text='the | bar'), row(0, 0, 0, text='')])
    page = format_error_report({split: analyse(members) for split, members in rows.items()}, 'rows.jsonl')
    assert page.startswith('# Errors\n\nFrom `rows.jsonl`.') and page.count('### The worst') == 2
    assert page.count('### By skill') == 1, 'testA has no tags'
    single_spaced = re.sub(' +', ' ', page)
    assert '| the \\| bar | 0.0 | nothing to find | 1 | 2 | 3 |' in single_spaced
    assert '| (empty) | 100.0 | rightly nothing |' in single_spaced
    for table in page.split('\n\n'):
        lines = table.splitlines()
        if lines[0].startswith('|'):
            assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize('change, text', [
    (dict(split=[1]), r'split must be text, but is \[1\]'),
    (dict(text=5), 'text must be text, but is 5'),
    (dict(iou=float('nan')), 'iou must be a number, but is nan'),
    (dict(union=10**400), r'union must be a number, but is 10+\.\.\.0+'),
    (dict(image_pixels=0), 'image_pixels must be a number above 0, but is 0'),
    (dict(rejected='no'), "rejected must be true or false, but is 'no'"),
    (dict(skills=[[1]]), r'skills must be a list of texts or null, but is \[\[1\]\]'),
    (dict(protocol={}), r'protocol must be a name or null, but is \{\}'),
])
def test_values_of_another_kind_are_named(tmp_path, change, text):
    path = tmp_path / 'rows.jsonl'
    path.write_text(json.dumps(dict(row(1, 2, 1), **change)) + '\n')
    with pytest.raises(ValueError, match=f'rows.jsonl, line 1: {text}. Make the file again'):
        read_expression_rows(path)


@pytest.mark.parametrize('line', [b'[' * 100000, b'9' * 5000, b'{"text": "\xff"}'], ids=['deep', 'long', 'no text'])
def test_lines_that_are_no_json(tmp_path, line):
    path = tmp_path / 'rows.jsonl'
    path.write_bytes(line + b'\n')
    with pytest.raises(ValueError, match='rows.jsonl, line 1'):
        read_expression_rows(path)
