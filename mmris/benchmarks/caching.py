"""Training steps with features of frozen towers from a cache."""

import argparse

from mmengine.registry import init_default_scope

from mmris.commands.benchmark_cache import BOUND, CACHED, measure_cache

from .models import read_benchmark_config
from .result import Result

# SAM's ViT-B on a quarter of its usual pixels.
FULL_OPTIONS = ('model.encoder.segmenter.architecture=base', 'model.encoder.joint.architecture=base',
                'model.neck.in_channels=768', 'inputs.views.main.size=512')


def measure_caching(name: str, options: tuple, steps: int) -> Result:
    """Measure a training step that gets the features of its batch for nothing over one with a filled cache.

    Args:
        name (str): A config with a frozen image tower.
        options (tuple[str]): Changes of it, as of ``--cfg-options``.
        steps (int): Steps of each.
    """
    init_default_scope('mmris')
    found = measure_cache(
        read_benchmark_config(name, options),
        argparse.Namespace(config=name, batch_size=1, data_root=None, steps=steps, amp=None, stored='float32'))
    return Result(
        title=f'{name}: a training step with features given over one with a filled cache',
        ratios=[found['seconds'][BOUND] / found['seconds'][CACHED]],
        least=0.9,
        notes=found)
