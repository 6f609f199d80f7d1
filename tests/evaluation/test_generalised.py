"""Scores of sentences with and without a target, by the protocols of several papers."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from mmris.evaluation import ReferringIoUMetric, format_results, metric, nest_metrics, to_json
from mmris.evaluation.error_analysis import analyse, read_expression_rows
from mmris.evaluation.error_tables import format_error_report
from mmris.evaluation.tables import ALL_COLUMNS, MEANS
from mmris.protocols import PROTOCOLS, find_protocol
from mmris.visualization import ScoredPrediction

# Pixels of the target, predicted, and of both; and what an existence head says.
ROWS = ((90, 90, 80, 0.9), (100, 40, 30, 0.2), (50, 0, 0, 0.2), (0, 0, 0, 0.2), (0, 30, 0, 0.9), (0, 60, 0, 0.2))
SIDE = 20


def masks_of(target: int, predicted: int, both: int) -> tuple:
    """Masks of exactly so many pixels."""
    masks = torch.zeros(2, SIDE * SIDE, dtype=torch.bool)
    masks[0, :target] = True
    masks[1, target - both:target - both + predicted] = True
    return tuple(masks.view(2, SIDE, SIDE))


def samples_of(rows, protocol: str, head: bool = True, **more) -> list:
    """Samples of up to two sentences each."""
    made = []
    for number in range(0, len(rows), 2):
        part = rows[number:number + 2]
        pairs = [masks_of(*row[:3]) for row in part]
        probabilities = torch.stack([predicted for _, predicted in pairs]).float()
        made.append(dict(
            img_id=number,
            img_path=f'{number}.jpg',
            text=['it' for _ in part],
            sent_ids=[number + place for place in range(len(part))],
            ref_ids=[number + place for place in range(len(part))],
            skills=[['even'] if (number + place) % 3 else ['third'] for place in range(len(part))],
            gt_original=torch.stack([target for target, _ in pairs]),
            probabilities=probabilities,
            # An input of the image's own size.
            **({'probabilities_input': probabilities} if find_protocol(protocol).at_input else {}),
            protocol=protocol,
            **({'existence': torch.tensor([row[3] for row in part])} if head else {}),
            **more))
    return made


def evaluate(samples: list, **options) -> dict:
    evaluator = Evaluator(ReferringIoUMetric(**options))
    evaluator.dataset_meta = {}
    for one in samples:
        evaluator.metrics[0].process({}, [one])
    return evaluator.evaluate(len(samples))


def scores_of(protocol: str, rows=ROWS, head: bool = True, **options) -> dict:
    return evaluate(samples_of(list(rows), protocol, head), **options)


NO_PIXEL = {'gIoU': 34.545, 'cIoU': 31.429, 'N-acc': 33.333, 'T-acc': 66.667, 'Pr@0.7': 33.333, 'Pr@0.8': 33.333,
            'Pr@0.9': 0}
UNDER_50 = {'gIoU': 46.667, 'cIoU': 25.0, 'N-acc': 66.667, 'T-acc': 33.333, 'Pr@0.7': 33.333, 'Pr@0.8': 33.333,
            'Pr@0.9': 0}


@pytest.mark.parametrize('protocol, head, wanted', [
    ('rela', True, {'gIoU': 46.667, 'cIoU': 27.586, 'N-acc': 66.667, 'T-acc': 33.333, 'Pr@0.7': 33.333,
                    'Pr@0.8': 33.333, 'Pr@0.9': 0}),
    ('gsva', True, {'gIoU': 51.212, 'cIoU': 37.931, 'N-acc': 66.667, 'T-acc': 33.333}),
    ('rela', False, NO_PIXEL),
    ('rela_no_pixel', False, NO_PIXEL),
    ('rela_no_pixel', True, NO_PIXEL),
    ('rela_50_pixels', False, UNDER_50),
    ('rela_50_pixels', True, UNDER_50),
    ('rela_50_pixels_cleared', True, dict(UNDER_50, cIoU=25.806)),
    ('lisa', True, {'gIoU': 34.545, 'cIoU': 31.429}),
    ('mmris', True, {'mIoU': 34.545, 'oIoU': 31.429, 'Pr@0.7': 33.333, 'Pr@0.8': 16.667, 'Pr@0.9': 16.667}),
    ('mmdet', True, {'mIoU': 17.879, 'cIoU': 31.429}),
    ('phrasecut', True, {'mIoU': 17.879, 'cIoU': 31.429, 'Pr@0.7': 16.667, 'Pr@0.8': 0, 'Pr@0.9': 0}),
    ('cris', True, {'mIoU': 17.879, 'Pr@0.7': 16.667, 'Pr@0.8': 0, 'Pr@0.9': 0}),
    ('lavt', True, {'mIoU': 17.879, 'oIoU': 31.429, 'Pr@0.7': 16.667, 'Pr@0.8': 16.667, 'Pr@0.9': 0}),
    ('ref_zom', True, {'mIoU': 35.758, 'oIoU': 42.308, 'Acc': 33.333, 'Pr@0.7': 33.333, 'Pr@0.8': 33.333,
                       'Pr@0.9': 0}),
])
def test_six_rows(protocol, head, wanted):
    """The numbers were computed by hand."""
    found = scores_of(protocol, head=head)
    assert {name: round(found[name], 3) for name in wanted} == wanted and found['expressions'] == 6
    assert set(found) == {*find_protocol(protocol).scoring.names, 'expressions'}


def slow_scores(protocol: str, rows: list) -> dict:
    """Sentence by sentence, written from what the papers' codes are described to do."""
    total = intersections = unions = right = none = kept = some = 0
    ious, of_targets = [], []
    for target, predicted, both, existence in rows:
        union = target + predicted - both
        if protocol in ('rela', 'gsva'):
            rejected = existence < 0.5
        else:
            rejected = predicted < (50 if '50' in protocol else 1)
        if target == 0:
            none += 1
            right += rejected
            iou, add = (1.0, (0, 0)) if rejected else (0.0, (0, union))
            if protocol in ('mmdet', 'phrasecut', 'cris', 'lavt') and rejected:
                iou = 0.0
        else:
            some += 1
            kept += not rejected
            iou, add = both / union, (both, union)
            if rejected and protocol != 'gsva':
                iou, add = 0.0, (0, target if 'cleared' in protocol else union)
            of_targets.append(iou)
        if protocol == 'ref_zom' and target == 0:
            continue
        total += 1
        ious.append(iou)
        intersections, unions = intersections + add[0], unions + add[1]
    ranked = of_targets if protocol.startswith(('rela', 'ref_zom')) else ious
    at_least = protocol.startswith(('rela', 'ref_zom', 'lavt'))
    reached = (lambda iou, x: iou >= x) if at_least else (lambda iou, x: iou > x)
    scores = {f'Pr@{x}': 100 * sum(reached(iou, x) for iou in ranked) / len(ranked) for x in (.5, .6, .7, .8, .9)}
    for name in ('mIoU', 'gIoU'):
        scores[name] = 100 * sum(ious) / total
    for name in ('oIoU', 'cIoU'):
        scores[name] = 100 * intersections / unions
    return dict(scores, **{'N-acc': 100 * right / none, 'Acc': 100 * right / none, 'T-acc': 100 * kept / some})


def random_rows(seed: int, count: int = 60) -> list:
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        target, predicted = (int(one) for one in generator.integers(0, 120, 2) * (generator.random(2) > 0.3))
        both = int(generator.integers(0, min(target, predicted) + 1)) if generator.random() > 0.5 else min(
            target, predicted)
        rows.append((target, predicted, both, float(np.float32(generator.random()))))
    return rows


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_against_a_slow_computation(protocol):
    for seed in range(4):
        rows = random_rows(seed)
        found, wanted = scores_of(protocol, rows), slow_scores(protocol, rows)
        assert {name: found[name] for name in PROTOCOLS[protocol].scoring.names} == pytest.approx(
            {name: wanted[name] for name in PROTOCOLS[protocol].scoring.names})


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_processes_and_order_change_no_bit(protocol, monkeypatch):
    """Two processes have seen a part each, and both the last sample, as a sampler pads."""
    samples = samples_of(random_rows(9), protocol)
    alone = evaluate(samples, by_skill=True)
    assert {name.split('/')[-1] for name in alone if name.startswith('skill/')} == {
        *PROTOCOLS[protocol].scoring.names, 'expressions'}
    others = ReferringIoUMetric()
    for one in samples[20::-1] + samples[-1:]:
        others.process({}, [one])
    monkeypatch.setattr(metric, 'all_gather_object', lambda mine: [mine, [one.entry() for one in others.results]])
    assert evaluate(samples[21:], by_skill=True) == alone


class TestExactlyAtAThreshold:

    @pytest.mark.parametrize('threshold, existence, rejected', [
        (None, 0.5, False), (None, float(np.nextafter(np.float32(0.5), np.float32(0))), True),
        # In float32, 0.7 and 0.1 lie on different sides of what a config says.
        (0.7, 0.7, False), (0.1, 0.1, False), (0.7, 0.6999, True), (0.3, 0.4, False),
    ])
    def test_existence(self, threshold, existence, rejected):
        found = scores_of('rela', [(0, 9, 0, existence), (9, 9, 9, 1.0)], existence_threshold=threshold)
        assert found['N-acc'] == (100 if rejected else 0) and found['T-acc'] == 100

    @pytest.mark.parametrize('protocol, pixels, rejected', [
        ('rela_50_pixels', 49, True), ('rela_50_pixels', 50, False), ('rela_no_pixel', 0, True),
        ('rela_no_pixel', 1, False)])
    def test_pixels(self, protocol, pixels, rejected):
        assert scores_of(protocol, [(0, pixels, 0, 1.0)])['N-acc'] == (100 if rejected else 0)

    def test_precision(self):
        rows = [(10, 7, 7, 1.0), (90, 63, 63, 1.0)]
        assert scores_of('rela', rows)['Pr@0.7'] == scores_of('ref_zom', rows)['Pr@0.7'] == 100
        assert scores_of('phrasecut', rows)['Pr@0.7'] == scores_of('mmris', rows)['Pr@0.7'] == 0

    @pytest.mark.parametrize('protocol', ['rela', 'gsva', 'ref_zom', 'lisa', 'mmdet', 'phrasecut'])
    def test_a_pixel(self, protocol):
        one, = samples_of([(9, 9, 9, 1.0)], protocol)
        one['probabilities'] *= 0.5
        assert evaluate([one])[find_protocol(protocol).scoring.overall] == 0


def test_what_is_undefined_is_no_0():
    targets, nothing = [(10, 7, 7, 1.0)], [(0, 0, 0, 0.1)]
    found = scores_of('rela', targets)
    assert math.isnan(found['N-acc']) and found['T-acc'] == 100
    found = scores_of('rela', nothing)
    assert math.isnan(found['T-acc']) and math.isnan(found['Pr@0.7']) and math.isnan(found['cIoU'])
    assert found['N-acc'] == found['gIoU'] == 100
    assert all(math.isnan(scores_of('ref_zom', nothing)[name]) for name in ('oIoU', 'mIoU', 'Pr@0.5'))
    assert json.loads(to_json({'N-acc': float('nan')})) == {'N-acc': None}


def test_an_empty_mask_that_is_not_rejected_is_wrong():
    assert scores_of('rela', [(0, 0, 0, 0.9), (9, 9, 9, 0.9)])['gIoU'] == 50
    assert scores_of('gsva', [(0, 0, 0, 0.9), (9, 9, 9, 0.9)])['N-acc'] == 0


@pytest.mark.parametrize('protocol, inside', [('lisa', 100.0), ('mmris', 50.0), ('rela', 50.0)])
def test_ignored_pixels(protocol, inside):
    """Of a prediction, half lies on the target and half on what is ignored; of another one, all on the latter."""
    one, = samples_of([(20, 40, 20, 1.0), (0, 20, 0, 1.0)], protocol)
    ignored = torch.zeros_like(one['gt_original'], dtype=torch.uint8)
    ignored[0, 1] = ignored[1, 0] = 1
    found = evaluate([dict(one, gt_ignored=ignored)])
    scoring = find_protocol(protocol).scoring
    assert found[scoring.mean] == (100.0 if protocol == 'lisa' else inside / 2)
    assert evaluate([one])[scoring.mean] == evaluate([dict(one, gt_ignored=None)])[scoring.mean] == 25


def test_rows(tmp_path):
    path = tmp_path / 'rows.jsonl'
    scores_of('rela', dump_file=str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row['existence'] for row in rows] == pytest.approx([0.9, 0.2, 0.2, 0.2, 0.9, 0.2])
    assert [row['rejected'] for row in rows] == [False, True, True, True, False, True]
    assert [(row['intersection'], row['union']) for row in rows] == [
        (80, 100), (0, 110), (0, 50), (0, 0), (0, 30), (0, 0)]
    assert [row['predicted_pixels'] for row in rows] == [90, 40, 0, 0, 30, 60], 'as predicted'
    analysis = analyse(read_expression_rows(path)['all'])
    assert {name: group['expressions'] for name, group in analysis['outcome'].items()} == {
        'good': 1, 'wrongly rejected': 1, 'nothing predicted': 1, 'rightly nothing': 2, 'nothing to find': 1}
    scores_of('rela', head=False, dump_file=str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row['existence'] for row in rows} == {None}
    assert [row['rejected'] for row in rows] == [False, False, True, True, False, False]


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_the_report_of_errors_has_the_scores_of_the_metric(protocol, tmp_path):
    path = tmp_path / 'rows.jsonl'
    scores = scores_of(protocol, dump_file=str(path))
    analysis = analyse(read_expression_rows(path)['all'])
    assert analysis['scores'] == scores
    mean = find_protocol(protocol).scoring.mean
    for table in ('outcome', 'share', 'words'):
        assert sum(group['lost'] for group in analysis[table].values()) == pytest.approx(100 - scores[mean])
    assert analysis['share']['no target']['expressions'] == 3
    page = format_error_report(dict(val=analysis), 'rows.jsonl')
    heading = next(line for line in page.splitlines() if line.startswith('| target'))
    assert heading.replace(' ', '') == '|'.join(
        ['', 'target', 'expressions', 'share', mean, find_protocol(protocol).scoring.overall,
         *(name for name in ('N-acc', 'T-acc', 'Acc', 'Pr@0.5') if name in scores), 'lost', ''])


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_pictures_say_the_same_iou(protocol, tmp_path):
    path, samples = tmp_path / 'rows.jsonl', samples_of(ROWS, protocol)
    evaluate(samples, dump_file=str(path))
    image, scoring = np.zeros((SIDE, SIDE, 3), np.uint8), find_protocol(protocol).scoring
    found = [
        ScoredPrediction('it', image, target.numpy(), mask.numpy() > 0.5, scoring, existence).iou
        for one in samples
        for target, mask, existence in zip(one['gt_original'], one['probabilities'], one['existence'].tolist())
    ]
    assert found == [json.loads(line)['iou'] for line in path.read_text().splitlines()]


def test_a_table_has_the_protocols_scores():
    assert {name for one in PROTOCOLS.values() for name in one.scoring.names} <= set(ALL_COLUMNS)
    assert {one.scoring.mean for one in PROTOCOLS.values()} == set(MEANS)
    results = nest_metrics({f'val/{name}': value for name, value in scores_of('rela', by_skill=True).items()})
    splits, skills = ([[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
                      for table in format_results(results).split('\n\n'))
    assert splits[0] == ['split', 'cIoU', 'gIoU', 'N-acc', 'T-acc', 'Pr@0.7', 'Pr@0.8', 'Pr@0.9', 'expressions']
    assert splits[2][:4] == ['val', '27.59', '46.67', '66.67'] and skills[0] == ['gIoU by skill', 'val']


def test_existence_of_another_number():
    one, = samples_of([(9, 9, 9, 1.0)], 'rela')
    with pytest.raises(ValueError, match=r'0.jpg has 1 expressions, but existence of the shape \(2,\)'):
        evaluate([dict(one, existence=torch.zeros(2))])


def test_thresholds_of_existence_that_are_none():
    for threshold in (0, 1, 35):
        with pytest.raises(ValueError, match=r'existence_threshold is a probability in \(0, 1\)'):
            ReferringIoUMetric(existence_threshold=threshold)
        with pytest.raises(ValueError, match=r'existence_threshold is a probability in \(0, 1\), but got'):
            find_protocol('rela').with_existence_threshold(threshold)
    for name in ('mmris', 'rela_no_pixel'):
        with pytest.raises(ValueError, match=f'Protocol {name} does not ask whether anything fits .*Leave it out'):
            find_protocol(name).with_existence_threshold(0.7)
    assert find_protocol('gsva').with_existence_threshold(None) is PROTOCOLS['gsva']


def test_predictions_of_two_protocols():
    with pytest.raises(ValueError, match='were made by the protocols gsva, rela, whose scores differ'):
        evaluate([*samples_of([(9, 9, 9, 1.0)], 'rela'), dict(samples_of([(9, 9, 9, 1.0)], 'gsva')[0], img_id=9)])
