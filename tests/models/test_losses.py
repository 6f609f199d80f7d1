"""Losses against slow references written from their equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmris.models.losses import BinaryCrossEntropyLoss, DiceLoss, FocalLoss


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 1, 3, 4, generator=generator)
    target = torch.rand(2, 1, 3, 4, generator=generator)
    return logits, target


def test_binary_cross_entropy(pair):
    logits, target = pair
    terms = [-t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x))
             for x, t in zip(logits.flatten().tolist(), target.flatten().tolist())]
    expected = 0.75 * sum(terms) / len(terms)
    assert BinaryCrossEntropyLoss(loss_weight=0.75)(logits, target).item() == pytest.approx(expected, rel=1e-5)


class TestClassWeights:

    def test_of_hard_targets(self, pair):
        """PyTorch's cross entropy of two classes, of which the first has a logit of 0; with gradients."""
        logits, target = pair[0].double(), (pair[1] > 0.6).double()
        found, expected = (logits.clone().requires_grad_() for _ in range(2))
        mine = BinaryCrossEntropyLoss(class_weights=(0.9, 1.1), loss_weight=2.0)(found, target)
        both = torch.cat((torch.zeros_like(expected), expected), dim=1)
        theirs = 2 * F.cross_entropy(both, target[:, 0].long(), weight=torch.tensor([0.9, 1.1], dtype=torch.float64))
        assert mine.item() == pytest.approx(theirs.item(), rel=1e-12)
        mine.backward()
        theirs.backward()
        assert torch.allclose(found.grad, expected.grad, rtol=1e-10)

    def test_of_targets_in_between(self, pair):
        logits, target = pair
        weights, terms = [], []
        for x, t in zip(logits.flatten().tolist(), target.flatten().tolist()):
            weights.append(3 * (1 - t) + 0.5 * t)
            terms.append(weights[-1] * (-t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x))))
        loss = BinaryCrossEntropyLoss(class_weights=(3.0, 0.5))(logits, target)
        assert loss.item() == pytest.approx(sum(terms) / sum(weights), rel=1e-5)

    def test_equal_ones_are_none(self, pair):
        assert BinaryCrossEntropyLoss(class_weights=(2, 2))(*pair).item() == pytest.approx(
            BinaryCrossEntropyLoss()(*pair).item(), rel=1e-6)

    @pytest.mark.parametrize('weights', [(1.0, ), (1.0, 0.0), (0.9, 1.1, 1.0)])
    def test_bad_ones(self, weights):
        with pytest.raises(ValueError, match='class_weights of BinaryCrossEntropyLoss must be two numbers above 0'):
            BinaryCrossEntropyLoss(class_weights=weights)


def test_dice(pair):
    logits, target = pair
    per_expression = []
    for x, t in zip(logits.flatten(1).tolist(), target.flatten(1).tolist()):
        p = [sigmoid(value) for value in x]
        overlap = 2 * sum(a * b for a, b in zip(p, t)) + 1
        per_expression.append(1 - overlap / (sum(a * a for a in p) + sum(b * b for b in t) + 1))
    expected = 0.5 * sum(per_expression) / len(per_expression)
    assert DiceLoss(loss_weight=0.5)(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_dice_without_squares(pair):
    """With a smooth of 1e-3 it is that of LISA and EVF-SAM, which divide sums by 1,000 and add 1e-6."""
    logits, target = pair
    per_expression = []
    for x, t in zip(logits.flatten(1).tolist(), target.flatten(1).tolist()):
        p = [sigmoid(value) for value in x]
        overlap = 2 * sum(a / 1000 * b for a, b in zip(p, t)) + 1e-6
        per_expression.append(1 - overlap / (sum(p) / 1000 + sum(t) / 1000 + 1e-6))
    expected = sum(per_expression) / len(per_expression)
    assert DiceLoss(squared=False, smooth=1e-3)(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_dice_of_nothing_where_nothing_is():
    loss = DiceLoss()(torch.full((1, 1, 4, 4), -50.0), torch.zeros(1, 1, 4, 4))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_focal_with_hard_targets(pair):
    logits, target = pair[0], (pair[1] > 0.5).float()
    terms = []
    for x, t in zip(logits.flatten().tolist(), target.flatten().tolist()):
        agreement = sigmoid(x) if t else 1 - sigmoid(x)
        weight = 0.25 if t else 0.75
        terms.append(-weight * (1 - agreement)**2 * math.log(agreement))
    assert FocalLoss()(logits, target).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


@pytest.mark.parametrize('loss', [BinaryCrossEntropyLoss(), DiceLoss(), FocalLoss()])
def test_another_shape_is_an_error(loss):
    with pytest.raises(ValueError, match=r'one shape, but got \(1, 1, 4, 4\) and \(1, 1, 8, 8\)'):
        loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8))
