"""Metrics against a slow reference written from their definitions."""

import math

import numpy as np
import pytest
import torch

from mmris.evaluation import PendingCounts, count_cases, iou_scores, summarise_cases
from mmris.protocols import Scoring


def reference(predictions, targets):
    """Pixel by pixel, expression by expression."""
    pairs = []
    for prediction, target in zip(predictions.tolist(), targets.tolist()):
        cells = [(p, t) for row_p, row_t in zip(prediction, target) for p, t in zip(row_p, row_t)]
        pairs.append((sum(p and t for p, t in cells), sum(p or t for p, t in cells)))
    ious = [i / u if u else 1.0 for i, u in pairs]
    scores = dict(
        oIoU=100 * sum(i for i, _ in pairs) / sum(u for _, u in pairs), mIoU=100 * sum(ious) / len(ious))
    for x in (0.5, 0.6, 0.7, 0.8, 0.9):
        scores[f'Pr@{x}'] = 100 * sum(iou > x for iou in ious) / len(ious)
    return pairs, scores


def summarise(intersection, union, target=None):
    """By the default protocol, as if predictions had all pixels of the union that are not the target's."""
    target = union if target is None else target
    return summarise_cases(count_cases(Scoring(), intersection, union, union, target), Scoring())


def test_against_the_reference():
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(40, 9, 7, generator=generator) < torch.rand(40, 1, 1, generator=generator)
    noise = torch.rand(40, 9, 7, generator=generator) < 0.3 * torch.rand(40, 1, 1, generator=generator)
    predictions = targets ^ noise
    predictions[0] = targets[0] = False
    pairs, expected = reference(predictions, targets)
    counts = PendingCounts(predictions, targets).read()
    intersection, union = counts.intersection, counts.union
    assert all(values.dtype == np.int64 for values in counts)
    assert list(zip(intersection.tolist(), union.tolist())) == pairs
    assert counts.predicted.tolist() == [int(mask.sum()) for mask in predictions]
    assert counts.target.tolist() == [int(mask.sum()) for mask in targets]
    assert summarise(intersection, union) == pytest.approx(expected)
    assert len({expected[f'Pr@{x}'] for x in (0.5, 0.7, 0.9)}) == 3


def test_empty_predictions_and_targets():
    intersection, union = np.array([0, 0, 0]), np.array([0, 5, 7])
    assert iou_scores(intersection, union).tolist() == [1, 0, 0]


def test_precision_is_of_strictly_more():
    intersection, union = np.array([1, 6]), np.array([2, 10])
    assert summarise(intersection, union)['Pr@0.5'] == 50


def test_overall_iou_of_no_union_is_undefined():
    scores = summarise(np.array([0]), np.array([0]))
    assert math.isnan(scores['oIoU']) and scores['mIoU'] == 100


def test_overall_iou_weighs_by_size_and_mean_does_not():
    scores = summarise(np.array([90, 0]), np.array([90, 10]))
    assert scores['oIoU'] == 90 and scores['mIoU'] == 50


def test_nothing_to_summarise():
    with pytest.raises(ValueError, match='no expression to summarise'):
        summarise(np.array([]), np.array([]))


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match=r'one shape, but got \(1, 4, 4\) and \(1, 8, 8\)'):
        PendingCounts(torch.zeros(1, 4, 4, dtype=torch.bool), torch.zeros(1, 8, 8, dtype=torch.bool))
