"""The metric over samples that hold several expressions."""

import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from mmris.evaluation import ReferringIoUMetric, format_results, nest_metrics, to_json


def sample(img_id: int, ious: list, skills: list = None) -> dict:
    """A sample whose expressions score exactly ``ious``, in tenths."""
    count = len(ious)
    target = torch.ones(count, 1, 10, dtype=torch.bool)
    probabilities = torch.zeros(count, 1, 10)
    for row, iou in enumerate(ious):
        probabilities[row, 0, :round(10 * iou)] = 0.9
    made = dict(
        img_id=img_id,
        img_path=f'{img_id}.jpg',
        text=[f'object {row}' for row in range(count)],
        sent_ids=[100 * img_id + row for row in range(count)],
        ref_ids=[10 * img_id + row for row in range(count)],
        gt_original=target,
        probabilities=probabilities)
    return made if skills is None else dict(made, skills=skills)


def evaluate(samples: list, size: int, expected: int = None, **options) -> dict:
    metric = ReferringIoUMetric(**options)
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(num_expressions=expected) if expected else {}
    for one in samples:
        metric.process({}, [one])
    return evaluator.evaluate(size)


def test_15_expressions_on_5_images_are_scored_as_15():
    samples = [sample(image, [0.2, 0.6, 1.0]) for image in range(5)]
    scores = evaluate(samples, size=5, expected=15)
    assert scores['expressions'] == 15
    assert scores['mIoU'] == pytest.approx(60)
    assert scores['Pr@0.5'] == pytest.approx(200 / 3)


def test_what_a_sampler_padded_counts_once():
    samples = [sample(image, [0.2, 1.0]) for image in (0, 1, 2)] + [sample(0, [0.2, 1.0])]
    assert evaluate(samples, size=3, expected=6)['expressions'] == 6


def test_a_wrong_number_of_expressions_is_an_error():
    with pytest.raises(RuntimeError, match='2 expressions were scored, but the data set has 3'):
        evaluate([sample(0, [0.5, 0.5])], size=1, expected=3)


def test_the_order_of_samples_changes_no_bit():
    samples = [sample(image, [0.1 * image, 0.3, 0.7]) for image in range(7)]
    assert evaluate(samples, size=7) == evaluate(samples[::-1], size=7)


def test_threshold_is_exclusive_and_an_option():
    one = sample(0, [0.5])
    one['probabilities'][:] = 0.35
    assert evaluate([one], size=1)['mIoU'] == 0
    assert evaluate([one], size=1, threshold=0.3)['mIoU'] == 100
    with pytest.raises(ValueError, match=r'threshold of ReferringIoUMetric is a probability in \[0, 1\), but got 35'):
        ReferringIoUMetric(threshold=35)


def test_by_skill():
    samples = [sample(0, [0.2, 0.6], skills=[['colour'], ['colour', 'place']]), sample(1, [1.0], skills=[['place']])]
    scores = nest_metrics(evaluate(samples, size=2, by_skill=True))
    assert scores['skill']['colour']['mIoU'] == pytest.approx(40)
    assert scores['skill']['place']['mIoU'] == pytest.approx(80)
    assert scores['skill']['place']['expressions'] == 2


def test_any_mixture_of_ids_is_ordered_and_dumped(tmp_path):
    """As data sets of others may have them; a metric that fails here has lost the whole evaluation."""
    path, samples = tmp_path / 'per_expression.jsonl', [sample(number, [0.6]) for number in range(5)]
    for one, sent_id in zip(samples, ['b', 2, np.int64(1), None, 'a']):
        one['sent_ids'], one['ref_ids'] = [sent_id], [(1, 2)]
    evaluate(samples, size=5, dump_file=str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row['sent_id'] for row in rows] == [1, 2, 'a', 'b', None]


def test_dump(tmp_path):
    path = tmp_path / 'per_expression.jsonl'
    evaluate([sample(1, [0.6]), sample(0, [0.2, 1.0])], size=2, dump_file=str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row['sent_id'] for row in rows] == [0, 1, 100]
    assert rows[2] == dict(
        sent_id=100, ref_id=10, img_id=1, text='object 0', intersection=6, union=10, iou=0.6, predicted_pixels=6,
        target_pixels=10, existence=None, rejected=False, image_pixels=10, protocol='mmris', resampling=None,
        threshold=0.35, skills=[])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_dump_says_what_scored_each_row(tmp_path):
    path = tmp_path / 'per_expression.jsonl'
    cris, other = (dict(sample(number, [0.6]), protocol='cris') for number in (0, 1))
    evaluate([cris, dict(other, resampling='bilinear')], size=2, threshold=0.5, dump_file=str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [[row[name] for name in ('protocol', 'resampling', 'threshold')] for row in rows] == [
        ['cris', None, 0.5], ['cris', 'bilinear', 0.5]]


def test_a_sample_without_ground_truth():
    one = sample(7, [0.5])
    del one['gt_original']
    with pytest.raises(ValueError, match='7.jpg has no gt_original.*needs LoadMasks'):
        ReferringIoUMetric().process({}, [one])


def test_what_is_undefined_is_null_in_json():
    scores = nest_metrics({'val/oIoU': float('nan'), 'val/mIoU': 100.0})
    assert json.loads(to_json(scores)) == dict(val=dict(oIoU=None, mIoU=100.0))
    for results in (scores, json.loads(to_json(scores))):
        cells = [cell.strip() for cell in format_results(results).splitlines()[2].split('|')[1:-1]]
        assert cells == ['val', 'undefined', '100.00', '-', '-', '-', '-', '-', '-'], 'what is missing is not undefined'


def test_arrays_and_tensors_of_other_metrics_in_json():
    scores = dict(mean=np.float32(0.5), undefined=np.float32('nan'), each=np.array([1.0, 2.0]), one=torch.tensor(3))
    assert json.loads(to_json(scores)) == dict(mean=0.5, undefined=None, each=[1.0, 2.0], one=3)


def test_table():
    results = dict(
        val=dict(oIoU=1.0, mIoU=22.25, expressions=3, skill=dict(colour=dict(mIoU=5.0, expressions=1))),
        testA=dict(oIoU=2.0, mIoU=3.0, expressions=4, skill=dict(colour=dict(mIoU=6.0), place=dict(mIoU=7.0))))
    splits, skills = (table.splitlines() for table in format_results(results).split('\n\n'))
    assert splits[2].startswith('| val ') and '22.25' in splits[2] and len({len(line) for line in splits}) == 1
    assert [cell.strip() for cell in skills[0].split('|')[1:-1]] == ['mIoU by skill', 'val', 'testA']
    assert [cell.strip() for cell in skills[2].split('|')[1:-1]] == ['colour', '5.00', '6.00']
    assert [cell.strip() for cell in skills[3].split('|')[1:-1]] == ['place', '-', '7.00']


def test_table_of_several_metrics():
    """Each prefix has rows of its own; a group without tags is no error."""
    results = nest_metrics({
        'val/t35/mIoU': 1.0, 'val/t35/skill/colour/mIoU': 5.0, 'val/t50/mIoU': 2.0, 'testA/mIoU': 3.0,
        'testA/t50/mIoU': 4.0})
    splits, skills = ([[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
                      for table in format_results(results).split('\n\n'))
    place = splits[0].index('mIoU')
    assert [(row[0], row[place]) for row in splits[2:]] == [
        ('val/t35', '1.00'), ('val/t50', '2.00'), ('testA', '3.00'), ('testA/t50', '4.00')]
    assert skills[0] == ['mIoU by skill', 'val/t35', 'val/t50', 'testA', 'testA/t50']
    assert skills[2:] == [['colour', '5.00', '-', '-', '-']]
