"""Ways to do one thing, against the clock in turn."""

import sys
import time
from typing import Callable, Dict, List

from mmengine.utils import ProgressBar


def take_turns(ways: Dict[str, Callable[[], object]], repetitions: int) -> Dict[str, List[float]]:
    """Run several ways, one after the other, several times: what else the machine does then slows all of them.

    Args:
        ways (dict[str, Callable]): What to run, by name. Each is run once before, which is not measured.
        repetitions (int): How often each is measured.

    Returns:
        dict[str, list[float]]: Seconds of each repetition.
    """
    seconds: Dict[str, List[float]] = {name: [] for name in ways}
    progress = ProgressBar((1 + repetitions) * len(ways), file=sys.stderr)
    for repetition in range(-1, repetitions):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            spent = time.perf_counter() - start
            if repetition >= 0:
                seconds[name].append(spent)
            progress.update()
    sys.stderr.write('\n')
    return seconds
