"""The work of ``mmris demo``."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from mmris.checkpoints import best_checkpoint
from mmris.evaluation import format_results
from mmris.utils import free_cpus

CONFIG = 'mmris::cm_masksd/vit-tiny_shaperef.py'


def run(*command: str) -> None:
    """Print a command of this project, and run it with as many threads as there are free processors."""
    print(f'\n$ mmris {shlex.join(command)}', flush=True)
    threads = os.environ.get('OMP_NUM_THREADS') or str(free_cpus())
    environment = dict(os.environ, OMP_NUM_THREADS=threads)
    subprocess.run([sys.executable, '-m', 'mmris', *command], check=True, env=environment)


def main(arguments: argparse.Namespace) -> None:
    start = time.monotonic()
    folder = Path(arguments.work_dir)
    data = ('--data-root', arguments.data)

    run('make_shaperef', '--out', arguments.data)
    run('train', CONFIG, '--work-dir', str(folder), '--resume', *data)
    checkpoint, metrics, sheet = str(best_checkpoint(folder)), folder / 'metrics.json', folder / 'predictions.png'
    run('test', CONFIG, checkpoint, '--split', 'val', 'testA', 'testB', '--controls', 'exchanged', 'empty',
        '--work-dir', str(folder), '--out', str(metrics), '--dump', str(folder / 'per_expression.jsonl'), *data)
    run('draw_predictions', CONFIG, checkpoint, '--split', 'val', '--out', str(sheet), *data)
    report(json.loads(metrics.read_text()), folder, time.monotonic() - start)


def report(results: dict, folder: Path, seconds: float) -> None:
    """Print what came out, and where it lies."""
    print(f'\nCM-MaskSD on ShapeRef, in percent\n\n{format_results(results)}\n')
    print('val_exchanged: the same model, each sentence scored against another object of its image.')
    print('val_empty: the same model, every sentence empty.')
    print(f'\n{folder}/metrics.json         these numbers\n{folder}/predictions.png      sentences, truth, predictions')
    print(f'{folder}/per_expression.jsonl each sentence with its IoU\n\n{seconds / 60:.1f} minutes in all.')
