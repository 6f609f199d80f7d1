"""Random numbers that are a function of what they are for."""

import random

import numpy as np
import torch

from mmris.utils import seed_all


def draws(*numbers: int, **options: bool) -> tuple:
    seed_all(*numbers, **options)
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_draws_on_the_cpu_are_the_same_without_devices():
    random.random(), np.random.rand(), torch.rand(1)
    for numbers in ((0, 1, 2), (3, 0, 5)):
        assert draws(*numbers) == draws(*numbers, devices=False)


def test_devices_are_left_alone_where_that_is_asked_for(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', seeded.append)
    seed_all(1, 2, devices=False)
    assert not seeded
    seed_all(1, 2)
    assert len(seeded) == 1


def test_each_number_and_its_place_count():
    found = [draws(*numbers) for numbers in ((1, 2), (2, 1), (1, 3), (0, 2))]
    assert all(len(set(column)) == 4 for column in zip(*found))
