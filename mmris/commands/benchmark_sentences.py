"""The work of ``mmris benchmark_sentences``."""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from torch import nn

from mmris.registry import MODELS
from mmris.structures import ReferringInputs
from mmris.utils.complexity import bound_together, count_complexity
from mmris.utils.configs import check_output, read_config
from mmris.utils.input_sizes import InputSizes, describe_sizes, read_input_sizes
from mmris.utils.json_files import write_json_file
from mmris.utils.machine import machine_name
from mmris.utils.precision import mixed_precision
from mmris.utils.pretrained import forget_pretrained
from mmris.utils.tables import markdown_table

TOGETHER, ALONE = 'together', 'one_by_one'
# The part of an encoder that looks at the image alone, of encoders that have one.
TOWERS = ('segmenter', 'image')


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    config = read_config(options)
    forget_pretrained(config.model)
    init_default_scope(config.get('default_scope', 'mmris'))
    sizes = read_input_sizes(config, options.shape, options.tokens, options.instances)
    with torch.device('meta'):
        total = count_complexity(MODELS.build(config.model), **vars(sizes))['total']
    flops = {part: total[part]['flops'] for part in ('image', 'sentence')}
    measured = measure(config, sizes, options)
    results = dict(
        machine=machine_name(),
        config=options.config,
        precision=options.amp or 'float32',
        sentences=options.sentences,
        multiply_adds=flops,
        **measured,
        ratio=ratios(measured['seconds'], flops, options.sentences))
    title = [Path(options.config).stem, describe_sizes(sizes, options.instances > 0), results['precision']]
    print(f'{", ".join(title)}\n{results["machine"]}\n\n{format_results(results)}')
    if options.out is not None:
        write_json_file(options.out, results)


def measure(config: Config, sizes: InputSizes, options: argparse.Namespace) -> Dict[str, Any]:
    """Seconds of both ways in each repetition, and how many images the tower got in one."""
    torch.manual_seed(0)
    model = MODELS.build(config.model).to(get_device()).eval()
    inputs = ReferringInputs(sizes.image(model.encoder), sizes.expressions(options.sentences)).to(get_device())
    rows = torch.arange(options.sentences, device=get_device()).split(1)
    singles = [ReferringInputs(inputs.images, inputs.expressions.select(row)) for row in rows]
    batches = {TOGETHER: [inputs], ALONE: singles}
    seconds: Dict[str, List[float]] = {way: [] for way in batches}
    images: Dict[str, int] = {}
    progress = ProgressBar(options.repetitions * (1 + options.sentences), file=sys.stderr)
    with torch.no_grad(), mixed_precision(options.amp):
        tower, first = find_tower(model, inputs)
        # Memory and plans for each shape are made at its first run.
        for part in (inputs, singles[0]):
            model.encode_decode(part)
        seen: List[int] = []
        first.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
        for _ in range(options.repetitions):
            for way, parts in batches.items():
                seen.clear()
                seconds[way].append(sum(time_of(model, part, progress) for part in parts))
                images[way] = sum(seen)
    sys.stderr.write('\n')
    return dict(seconds=seconds, tower=tower, images=images)


def find_tower(model: nn.Module, inputs: ReferringInputs) -> Tuple[str, nn.Module]:
    """Find what looks at images: its name, and the layer in it that they enter.

    Args:
        model (nn.Module): The model.
        inputs (ReferringInputs): Of any images.

    Returns:
        tuple[str, nn.Module]: The dotted name of the encoder's image tower, or ``encoder`` if it has none of its own,
        and the layer, which is called with a row an image.
    """
    named = {f'encoder.{name}': getattr(model.encoder, name, None) for name in TOWERS}
    name, tower = next(((name, part) for name, part in named.items() if isinstance(part, nn.Module)),
                       ('encoder', model.encoder))
    called: List[nn.Module] = []
    hooks = [
        part.register_forward_hook(lambda module, _, __: called.append(module)) for part in tower.modules()
        if not list(part.children())
    ]
    model.encode_images(inputs.images)
    for hook in hooks:
        hook.remove()
    return name, called[0]


def time_of(model: nn.Module, inputs: ReferringInputs, progress: ProgressBar) -> float:
    """Seconds from inputs to logits."""
    start = time.perf_counter()
    model.encode_decode(inputs)
    if get_device() == 'cuda':
        torch.cuda.synchronize()
    spent = time.perf_counter() - start
    progress.update()
    return spent


def ratios(seconds: Dict[str, List[float]], flops: Dict[str, int], sentences: int) -> Dict[str, Any]:
    """How many times as long one by one takes: measured, as multiply-adds allow, and the share of it reached."""
    found = [alone / together for alone, together in zip(seconds[ALONE], seconds[TOGETHER])]
    measured = statistics.median(found)
    allowed = bound_together(flops, sentences)
    return dict(measured=measured, spread=[min(found), max(found)], allowed=allowed, reached=measured / allowed)


def format_results(results: Dict[str, Any]) -> str:
    count, flops, ratio = results['sentences'], results['multiply_adds'], results['ratio']
    medians = {way: statistics.median(values) for way, values in results['seconds'].items()}
    rows = [
        ['one by one', medians[ALONE], results['images'][ALONE], count * (flops['image'] + flops['sentence']) / 1e9],
        ['together', medians[TOGETHER], results['images'][TOGETHER],
         (flops['image'] + count * flops['sentence']) / 1e9],
        ['ratio', ratio['measured'], results['images'][ALONE] / results['images'][TOGETHER], ratio['allowed']],
    ]
    heading = [f'{count} sentences', 'seconds', f'images into {results["tower"]}', 'multiply-adds, G']
    low, high = ratio['spread']
    return '\n'.join([
        markdown_table(heading, rows), '',
        f'Together they are {ratio["measured"]:.2f} times as fast as one by one ({low:.2f} to {high:.2f}, '
        f'{len(results["seconds"][ALONE])} repetitions, medians). Multiply-adds allow {ratio["allowed"]:.2f} times: '
        f'{100 * ratio["reached"]:.0f}% of that is reached.'
    ])
