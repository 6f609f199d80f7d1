"""Random numbers that are a function of what they are for."""

import random

import numpy as np
import torch


def seed_all(*numbers: int, devices: bool = True) -> None:
    """Seed Python's, NumPy's and torch's generators by a mixture of several numbers.

    Args:
        *numbers (int): What the draws belong to, such as seed, rank and step; none negative.
        devices (bool): Seed torch's generators of all devices, not just the CPU's. On the CPU the draws are the same
            either way. Default: True.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    (torch.manual_seed if devices else torch.default_generator.manual_seed)(seed)
