"""The work of ``mmris benchmark_loading``."""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any, Dict

import safetensors.torch
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.apis import init_model
from mmris.checkpoints import PUBLISHED
from mmris.checkpoints.published.model import OURS
from mmris.registry import MODELS
from mmris.utils.configs import check_output, read_config
from mmris.utils.json_files import write_json_file
from mmris.utils.memory import process_memory
from mmris.utils.tables import markdown_table

# All but parts of CLIP, BEiT-3 and so on: files of a whole model.
LAYOUTS = {layout.name: layout for model in PUBLISHED.values() if model.whole for layout in model.layouts}


def main(options: argparse.Namespace) -> None:
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
        write_json_file(options.out, dict(vars(options), bytes=stored, results=results))


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
