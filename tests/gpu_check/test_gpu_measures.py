"""What the parts of a check measure, on a processor."""

import time

import pytest
import torch
from torch import nn

from mmris.gpu_check.evaluation import timed_steps
from mmris.gpu_check.losses import training_loss
from mmris.gpu_check.steps import count_step
from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.steps import load_batch
from mmris.utils.training_complexity import count_training
from tests.conftest import tiny_config


class Sleeper(nn.Linear):
    """A model whose step takes a tenth of a second."""

    def test_step(self, data: torch.Tensor) -> torch.dtype:
        time.sleep(0.1)
        return self(data).dtype


@pytest.mark.parametrize('precision, dtype', [('float32', torch.float32), ('bfloat16', torch.bfloat16)])
def test_steps_of_an_evaluation_are_timed_alone(precision, dtype):
    model = Sleeper(4, 4)
    with timed_steps(model, precision) as seconds:
        for _ in range(3):
            assert model.test_step(torch.ones(1, 4)) == dtype
            time.sleep(0.2)
    assert 0.3 <= seconds() < 0.5
    assert 'test_step' not in vars(model) and model.test_step(torch.ones(1, 4)) == torch.float32


def test_losses_draw_the_same_in_every_precision(tiny_model):
    batch = load_batch(tiny_config().train_dataloader, 2)
    first = training_loss(tiny_model, batch, 'float32')
    torch.rand(7)
    assert training_loss(tiny_model, batch, 'float32') == pytest.approx(first, rel=1e-6)
    reduced = training_loss(tiny_model, batch, 'bfloat16')
    assert reduced != first and reduced == pytest.approx(first, rel=0.05)


class TestMultiplyAddsOfABatch:

    @staticmethod
    def build(config) -> nn.Module:
        with torch.device('meta'):
            return MODELS.build(config.model)

    def test_evaluation(self):
        """An image once, whatever the number of its sentences; padding is computed too."""
        config = tiny_config()
        batch = load_batch(config.val_dataloader, 3)
        sentences = sum(len(sample.token_ids) for sample in batch['data_samples'])
        total = count_complexity(self.build(config), shape=(64, 64), tokens=16)['total']
        expected = 3 * total['image']['flops'] + sentences * total['sentence']['flops']
        assert count_step(config, 'evaluation', batch) == expected

    @pytest.mark.parametrize('sentences', [1, 3])
    def test_training(self, sentences):
        config = tiny_config()
        config.train_dataloader.dataset.expressions_per_image = sentences
        batch = load_batch(config.train_dataloader, 2)
        expected = count_training(self.build(config), shape=(64, 64), tokens=16, images=2, sentences=sentences)
        assert count_step(config, 'training', batch) == expected['total']

    def test_views(self):
        config = tiny_config('evf_sam/tiny_shaperef.py')
        batch = load_batch(config.val_dataloader, 2)
        assert count_step(config, 'evaluation', batch) > 0
