"""Measure the memory that loading a model's weights takes at most, over the weights themselves.

    python tools/analysis_tools/benchmark_loading.py configs/evf_sam/evf-sam.py --layout evf_sam --stored float16

Makes a file of the model's full size with made-up values, unless one is named, and loads it in a process of its own for
each type of numbers. Linux alone tells how much memory a process takes.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import safetensors.torch
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.apis import init_model
from mmris.apis.model import DTYPES
from mmris.checkpoints import PUBLISHED
from mmris.registry import MODELS
from mmris.utils import write_atomically
from mmris.utils.configs import add_config_arguments, check_output, read_config
from mmris.utils.memory import process_memory
from mmris.utils.tables import markdown_table
from mmris.utils.tool import run_tool

OURS = 'mmris'
# All but parts of CLIP, BEiT-3 and so on: files of a whole model.
LAYOUTS = {layout.name: layout for model in PUBLISHED.values() if model.whole for layout in model.layouts}


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure the memory that loading takes at most.')
    add_config_arguments(parser)
    parser.add_argument('--file', help='file or folder to load (default: one that is made)')
    parser.add_argument(
        '--layout',
        choices=(OURS, *LAYOUTS),
        default=OURS,
        help='layout of the file that is made (default: %(default)s)')
    parser.add_argument(
        '--stored', choices=DTYPES, default='float32', help='its type of numbers (default: %(default)s)')
    parser.add_argument(
        '--suffix', choices=('.safetensors', '.bin'), default='.bin', help='its kind (default: %(default)s)')
    parser.add_argument(
        '--dtype', choices=DTYPES, nargs='+', default=['float32', 'float16'], help='types to load it in, one after the '
        'other (default: float32 float16)')
    parser.add_argument('--out', help='JSON file to write the numbers to')
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> None:
    options = parse_arguments(arguments)
    check_output(options.out)
    config = read_config(options)
    with tempfile.TemporaryDirectory() as folder:
        path = options.file
        if path is None:
            path = str(Path(folder, f'weights{options.suffix}'))
            run_in_subprocess(make_file, config, path, options.layout, options.stored)
        stored = sum(one.stat().st_size for one in ([Path(path)] if Path(path).is_file() else Path(path).iterdir()))
        results = {dtype: run_in_subprocess(measure, config, path, dtype) for dtype in options.dtype}
    rows = [[dtype, one['weights'], one['gained'], one['gained'] / one['weights'], one['seconds']]
            for dtype, one in results.items()]
    print(f'{Path(options.config).stem}, a file of {stored / 1e9:.2f} GB\n')
    print(markdown_table(['loaded as', 'weights, MiB', 'gained at most, MiB', 'ratio', 'seconds'], rows))
    if options.out is not None:
        with write_atomically(options.out) as temporary:
            temporary.write_text(json.dumps(dict(vars(options), bytes=stored, results=results), indent=2) + '\n')


def run_in_subprocess(function: Any, *arguments: Any) -> Any:
    """Call in a process of its own: the most that a process ever took never becomes less."""
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)

    def call() -> None:
        try:
            sender.send((function(*arguments), None))
        except Exception as error:
            sender.send((None, error))

    process = context.Process(target=call)
    process.start()
    # The process's own end is left, so that its death is seen.
    sender.close()
    try:
        result, error = receiver.recv()
    except EOFError as death:
        raise MemoryError('The process was killed, probably since memory ran out. Take a smaller model.') from death
    process.join()
    if error is not None:
        raise error
    return result


def make_file(config: Config, path: str, layout: str, stored: str) -> None:
    """Write a file of made-up weights that a config's model can load."""
    init_default_scope('mmris')
    with torch.device('meta'):
        state = MODELS.build(dict(config.model, distillation=None)).state_dict()
    if layout != OURS:
        state = LAYOUTS[layout].key_map.to_theirs(state, 'the model of the config')
    made = {
        key: torch.full(value.shape, 0.01, dtype=getattr(torch, stored) if value.is_floating_point() else value.dtype)
        for key, value in state.items()
    }
    if path.endswith('.safetensors'):
        safetensors.torch.save_file(made, path, metadata=dict(format='pt'))
    else:
        torch.save(made, path)


def measure(config: Config, path: str, dtype: str) -> Dict[str, float]:
    """Weights of the loaded model and memory that was gained at most, in MiB, and the seconds that it took."""
    torch.set_num_threads(1)
    before = process_memory()['resident']
    start = time.perf_counter()
    model = init_model(config, path, 'cpu', dtype)
    seconds = time.perf_counter() - start
    weights = sum(value.numel() * value.element_size() for value in model.parameters()) / 2**20
    return dict(weights=weights, gained=process_memory()['peak'] - before, seconds=seconds)


if __name__ == '__main__':
    run_tool(main)
