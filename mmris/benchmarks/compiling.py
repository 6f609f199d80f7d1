"""Compiled stages beside plain ones."""

import torch

from mmris.models.segmentors import compile_stages

from .models import prepare
from .result import Result, ratios_of
from .timing import take_turns

# The last was not seen before: nothing is compiled for it.
SENTENCES, NEW = (3, 1, 2), 7


def measure_compiling(name: str, repetitions: int) -> Result:
    """Measure an image with sentences by a plain model over a compiled one, and count compilations.

    Args:
        name (str): A config.
        repetitions (int): How often each is measured.

    Returns:
        Result: With the largest difference of logits, the graphs that were compiled for 3, 1 and 2 sentences, and how
        many more were for 7.
    """
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    measured, compiled = prepare(name), prepare(name)
    compiled.model.load_state_dict(measured.model.state_dict())
    compile_stages(compiled.model.eval())
    model = measured.model.eval()
    inputs, graphs, difference = measured.inputs(NEW), {}, 0.0
    with torch.no_grad():
        for number in (*SENTENCES, NEW):
            asked = measured.inputs(number)
            found = compiled.model.encode_decode(asked) - model.encode_decode(asked)
            difference = max(difference, float(found.abs().max()))
            graphs[number] = int(torch._dynamo.utils.counters['stats']['unique_graphs'])
        seconds = take_turns({
            'plain': lambda: model.encode_decode(inputs), 'compiled': lambda: compiled.model.encode_decode(inputs)
        }, repetitions)
    return Result(
        title=f'{name}: evaluation by a plain model over a compiled one, {NEW} sentences',
        ratios=ratios_of(seconds['plain'], seconds['compiled']),
        least=1.0,
        notes=dict(
            seconds=seconds,
            largest_difference=difference,
            graphs=graphs[SENTENCES[-1]],
            further_graphs=graphs[NEW] - graphs[SENTENCES[-1]]))
