"""The work of ``mmris demo``."""

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path

import torch

from mmris.checkpoints import best_checkpoint
from mmris.command_line.main import start
from mmris.evaluation import format_results
from mmris.utils import free_cpus

CONFIG = 'mmris::cm_masksd/vit-tiny_shaperef_demo.py'


def run(*command: str) -> None:
    """Print a command of this project, and do its work here, where all is imported already."""
    print(f'\n$ mmris {shlex.join(command)}', flush=True)
    status = start(list(command))
    if status:
        sys.exit(status)


def main(arguments: argparse.Namespace) -> None:
    begin = time.monotonic()
    # A number in OMP_NUM_THREADS has been taken already.
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(free_cpus())
    folder = Path(arguments.work_dir)
    data = ('--data-root', arguments.data)

    run('make_shaperef', '--out', arguments.data)
    run('train', CONFIG, '--work-dir', str(folder), '--resume', *data)
    checkpoint, metrics, sheet = str(best_checkpoint(folder)), folder / 'metrics.json', folder / 'predictions.png'
    run('test', CONFIG, checkpoint, '--split', 'val', 'testA', 'testB', '--controls', 'exchanged', 'empty',
        '--work-dir', str(folder), '--out', str(metrics), '--dump', str(folder / 'per_expression.jsonl'), *data)
    run('draw_predictions', CONFIG, checkpoint, '--split', 'val', '--out', str(sheet), *data)
    report(json.loads(metrics.read_text()), folder, time.monotonic() - begin)


def report(results: dict, folder: Path, seconds: float) -> None:
    """Print what came out, and where it lies."""
    print(f'\nCM-MaskSD on ShapeRef, in percent\n\n{format_results(results)}\n')
    print('val_exchanged: the same model, each sentence scored against another object of its image.')
    print('val_empty: the same model, every sentence empty.')
    print(f'\n{folder}/metrics.json         these numbers\n{folder}/predictions.png      sentences, truth, predictions')
    print(f'{folder}/per_expression.jsonl each sentence with its IoU\n\n{seconds / 60:.1f} minutes in all.')
