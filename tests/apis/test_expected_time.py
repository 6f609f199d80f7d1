"""What large models say before they keep a processor busy."""

import numpy as np
import pytest
import torch

from mmris.apis import Predictor, expected_time
from mmris.apis.expected_time import ExpectedTime, expect_time, format_seconds, measure_speed
from mmris.utils.complexity import count_complexity
from mmris.utils.input_sizes import read_input_sizes
from tests.conftest import tiny_config

NAME = 'evf_sam/tiny_shaperef.py'
PHOTOGRAPH = np.zeros((40, 60, 3), dtype=np.uint8)


@pytest.fixture
def said(monkeypatch) -> list:
    """What the predictor logs, of models of any size."""
    messages = []
    monkeypatch.setattr(expected_time, '_LARGE', 0)
    monkeypatch.setattr('mmris.apis.image_encoder.print_log', lambda message, logger: messages.append(message))
    return messages


def test_it_is_said_once_before_the_first_image(said):
    predictor = Predictor(tiny_config(NAME), device='cpu')
    assert not said
    before = []
    predictor.model.encoder.segmenter.register_forward_pre_hook(lambda *_: before.append(len(said)))
    predictor.set_image(PHOTOGRAPH)
    predictor.set_image(PHOTOGRAPH)
    assert before == [1, 1]
    assert said[0].startswith('There is no GPU in use. The first answer about an image takes about ')


def test_small_models_say_nothing(monkeypatch):
    predictor = Predictor(tiny_config(NAME), device='cpu')
    assert expect_time(predictor.model) is None


def test_it_is_what_get_flops_counts(said):
    predictor = Predictor(tiny_config(NAME), device='cpu')
    found = expect_time(predictor.model)
    sizes = read_input_sizes(predictor.model.cfg)
    with torch.device('meta'):
        model = type(predictor.model)(**{k: v for k, v in predictor.model.cfg.model.items() if k != 'type'})
    total = count_complexity(model, **vars(sizes))['total']
    assert (found.image, found.sentence) == (total['image']['flops'], total['sentence']['flops'])
    assert found.image > found.sentence > 0 and found.speed > 0


@pytest.mark.parametrize('seconds, text', [
    (0.04, '0.0 seconds'), (1.94, '1.9 seconds'), (2.4, '2 seconds'), (299, '299 seconds'), (300, '5 minutes')])
def test_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_the_sentence():
    expected = ExpectedTime(image=2_981_000_000_000, sentence=65_000_000_000, speed=5e10)
    assert str(expected) == (
        'There is no GPU in use. The first answer about an image takes about 61 seconds (once an image 2,981 billion '
        'multiply-adds, for each sentence 65, about 50 billion a second), each further sentence about 1.3 seconds.')


def test_speed():
    assert measure_speed(torch.float32) > 1e8
