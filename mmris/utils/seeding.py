"""Random numbers that are a function of what they are for."""

import random

import numpy as np
import torch


def seed_all(*numbers: int) -> None:
    """Seed Python's, NumPy's and torch's generators, those of all devices too, by a mixture of several numbers.

    Args:
        *numbers (int): What the draws belong to, such as seed, rank and step; none negative.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
