"""The work of ``mmris benchmark_steps``."""

import argparse
from pathlib import Path
from typing import Any, Dict

import torch

from mmris.utils.configs import check_output
from mmris.utils.json_files import write_json_file
from mmris.utils.machine import machine_name
from mmris.utils.steps import (
    build_random_model,
    load_batch,
    measure_evaluation,
    measure_training,
    read_step_config,
)
from mmris.utils.tables import markdown_table


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    config = read_step_config(options)
    torch.manual_seed(0)
    model = build_random_model(config)
    batches = {
        name: load_batch(config[f'{name}_dataloader'], options.batch_size, options.data_root)
        for name in ('train', 'val')
    }
    results = dict(
        machine=machine_name(),
        config=options.config,
        precision=options.amp or 'float32',
        training=measure_training(model, config, batches['train'], options.steps),
        evaluation=measure_evaluation(model, batches['val'], options.amp, options.steps))
    print(format_results(results))
    if options.out is not None:
        write_json_file(options.out, results)


def format_results(results: Dict[str, Any]) -> str:
    rows = [[
        name, results[name]['images'], results[name]['expressions'], results[name]['seconds'],
        results[name]['images_per_second'], round(results[name]['peak_mebibytes'])
    ] for name in ('training', 'evaluation')]
    heading = ['step of', 'images', 'expressions', 'seconds', 'images/s', 'peak MiB']
    title = f'{Path(results["config"]).stem}, {results["precision"]}, {results["machine"]}'
    return f'{title}\n\n{markdown_table(heading, rows)}'
