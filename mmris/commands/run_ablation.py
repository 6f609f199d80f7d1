"""The work of ``mmris run_ablation``."""

import argparse
import os
import shlex
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.config import Config

from mmris.checkpoints import find_checkpoints
from mmris.checkpoints.runs import (
    PREEMPTED,
    check_initial_checkpoints,
    find_initial_checkpoints,
    note_initial_checkpoints,
)
from mmris.evaluation.ablation import format_ablation, runs_by_skill, summarise_ablation
from mmris.evaluation.paired_tests import check_pairs, compare_pairs, format_pairs
from mmris.utils import find_config, write_atomically
from mmris.utils.commands import check_run_settings, plain, save_run_settings, tool_command, tool_environment
from mmris.utils.configs import check_inputs, check_output, data_options
from mmris.utils.json_files import read_json_file, write_json_file
from mmris.utils.launching import check_trainable
from mmris.utils.tables import markdown_table
from mmris.utils.text import shorten
from mmris.utils.training_log import read_training_log, summarise_log
from mmris.visualization.ablation_plot import draw_ablation
from mmris.visualization.plots import save_figure


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, folder=True)
    for path in arguments.configs:
        check_inputs(config=find_config(path))
        check_trainable(Config.fromfile(find_config(path)), path)
    gpus_of_slots(arguments)
    names = [Path(path).stem for path in arguments.configs]
    if len(set(names)) < len(names):
        raise ValueError(f'Two of the configs have one name, so that their runs would share a folder: {names}.')
    if arguments.pairs:
        columns = [f'{split}/{metric}' for split in arguments.split for metric in arguments.metrics]
        check_pairs(arguments.pairs, arguments.pairs_on, names=names, columns=columns, seeds=arguments.seeds)
    runs = [
        dict(name=name, config=path, seed=seed, folder=Path(arguments.out) / f'{name}_seed{seed}')
        for seed in arguments.seeds for path, name in zip(arguments.configs, names)
    ]
    for run in runs:
        claim_folder(run, arguments)

    slots: SimpleQueue = SimpleQueue()
    for slot in range(arguments.jobs):
        slots.put(slot)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = [pool.submit(train_and_evaluate, run, slots, arguments) for run in runs]
    for run, future in zip(runs, done):
        run['metrics'] = future.result()
        run['target_shares'] = read_target_shares(run['folder'])
    # In the order of the configs as given.
    runs.sort(key=lambda run: names.index(run['name']))
    save(summarise_ablation(runs, arguments.metrics), runs, arguments)


def claim_folder(run: dict, arguments: argparse.Namespace) -> None:
    """Note what a folder's run is, or check that it is the same as before.

    Raises:
        ValueError: If the folder holds a run of other settings, or one that began from a file that has been replaced.
    """
    config = Config.fromfile(find_config(run['config']))
    settings = dict(
        config=config.to_dict(),
        seed=run['seed'],
        data=data_options(arguments),
        processes=arguments.processes,
        train_options=arguments.train_options)
    settings = plain(settings)
    check_run_settings(run['folder'], settings, run=run['config'], remedy='choose another --out')
    checkpoints = find_initial_checkpoints(config)
    check_initial_checkpoints(run['folder'], checkpoints)
    save_run_settings(run['folder'], settings)
    note_initial_checkpoints(run['folder'], checkpoints)


def train_and_evaluate(run: dict, slots: SimpleQueue, arguments: argparse.Namespace) -> Dict[str, dict]:
    """Run what is left to do of one run, in a slot of its own, and return its metrics."""
    slot, folder = slots.get(), run['folder']
    results, start = folder / 'metrics.json', time.monotonic()
    try:
        # Another --split asks for another evaluation.
        if not results.is_file() or set(read_metrics(results)) != set(arguments.split):
            common = ['--work-dir', str(folder), *data_options(arguments)]
            train = [*shlex.split(arguments.train_options), '--seed', str(run['seed']), '--resume', *common]
            start_tool('train', [run['config']], train, folder, slot, arguments)
            if (folder / PREEMPTED).exists():
                raise RuntimeError(f'The training in {folder} was asked to end, and has saved. Run the same command to '
                                   f'continue.')
            checkpoint = str(find_checkpoints(folder)[0])
            test = ['--split', *arguments.split, '--out', str(results), *common]
            start_tool('test', [run['config'], checkpoint], test, folder, slot, arguments)
        metrics = read_metrics(results)
    finally:
        slots.put(slot)
    scores = ', '.join(f'{split} {metrics[split]["mIoU"]:.2f}' for split in metrics)
    print(f'{folder.name}: mIoU {scores} ({(time.monotonic() - start) / 60:.1f} minutes)', flush=True)
    return metrics


def read_metrics(path: Path) -> Dict[str, dict]:
    """Read the scores of a run by split.

    Raises:
        ValueError: If the file is damaged.
    """
    remedy = 'Remove it, so that the run is evaluated again.'
    metrics = read_json_file(path, remedy)
    if not isinstance(metrics, dict) or not all(isinstance(scores, dict) for scores in metrics.values()):
        raise ValueError(f'{path} has {shorten(metrics)} instead of scores by split. {remedy}')
    return metrics


def start_tool(tool: str, inputs: List[str], options: List[str], folder: Path, slot: int,
               arguments: argparse.Namespace) -> None:
    """Run train.py or test.py, its output in the run's folder.

    Raises:
        RuntimeError: If it fails; the message has the end of its output.
    """
    command = tool_command(tool, inputs, options, arguments.processes)
    environment = dict(tool_environment(arguments.jobs * arguments.processes), MASTER_PORT=str(29500 + slot))
    gpus = gpus_of_slots(arguments)
    if gpus:
        environment['CUDA_VISIBLE_DEVICES'] = ','.join(gpus[slot])
    log = folder / f'{tool}.log'
    print(f'{folder.name}: {shlex.join(command)} > {log}', flush=True)
    with open(log, 'a', encoding='utf-8') as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment).returncode
    if code:
        end = ''.join(log.read_text(encoding='utf-8', errors='backslashreplace').splitlines(keepends=True)[-15:])
        raise RuntimeError(f'{tool}.py of {folder.name} failed with exit status {code}. The end of {log}:\n{end}')


def gpus_of_slots(arguments: argparse.Namespace) -> List[List[str]]:
    """The GPUs of each slot, of those that are visible; none on a machine without.

    Raises:
        ValueError: If there are not as many as runs at a time need.
    """
    count, wanted = torch.cuda.device_count(), arguments.jobs * arguments.processes
    if not count:
        return []
    if wanted > count:
        raise ValueError(
            f'--jobs {arguments.jobs} runs at a time of --processes {arguments.processes} need {wanted} GPUs, but '
            f'{count} are visible. Lower one of them.')
    visible = os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    names = visible if len(visible) == count and all(visible) else [str(place) for place in range(count)]
    return [names[slot * arguments.processes:(slot + 1) * arguments.processes] for slot in range(arguments.jobs)]


def read_target_shares(folder: Path) -> Dict[str, dict]:
    """What each branch that masks logged last, by its name: ``target_share`` and ``chance``."""
    try:
        return summarise_log(read_training_log(folder))['target_shares']
    except FileNotFoundError:
        # The config's visualizer keeps no scalars.
        return {}


def format_target_shares(runs: List[dict]) -> str:
    """A Markdown table of what branches masked at the end of training, over seeds, or nothing where none logged it."""
    found: Dict[Tuple[str, str], List[dict]] = {}
    for run in runs:
        for branch, shares in run['target_shares'].items():
            found.setdefault((run['name'], branch), []).append(shares)
    rows = [[*names, *(_percent([one[key] for one in shares]) for key in ('target_share', 'chance'))]
            for names, shares in found.items()]
    return markdown_table(['config', 'branch', 'share of the target', 'chance'], rows) if rows else ''


def _percent(shares: List[Optional[float]]) -> str:
    if None in shares:
        return 'not logged'
    spread = f' ± {100 * statistics.stdev(shares):.2f}' if len(shares) > 1 else ''
    return f'{100 * statistics.fmean(shares):.2f}{spread}'


def format_skills(runs: List[dict], arguments: argparse.Namespace) -> str:
    """A Markdown table of the first metric by skill, on the first split, or nothing where sentences have no skills."""
    by_skill = runs_by_skill(runs, arguments.split[0])
    if not by_skill:
        return ''
    table = format_ablation(summarise_ablation(by_skill, arguments.metrics[:1]))
    return f'By skill, on {arguments.split[0]}:\n\n{table}'


def save(summary: dict, runs: List[dict], arguments: argparse.Namespace) -> None:
    """Write table, numbers and plot."""
    folder = Path(arguments.out)
    compared = compare_pairs(summary, arguments.pairs, arguments.pairs_on) if arguments.pairs else None
    tables = (format_ablation(summary), compared and format_pairs(compared), format_skills(runs, arguments),
              format_target_shares(runs))
    table = '\n\n'.join(filter(None, tables))
    record = dict(summary, compared=compared, runs=[{**run, 'folder': run['folder'].name} for run in runs])
    with write_atomically(folder / 'ablation.md') as temporary:
        temporary.write_text(table + '\n', encoding='utf-8')
    write_json_file(folder / 'ablation.json', record)
    title = f'{len(summary["rows"])} configs, {len(summary["seeds"])} seeds'
    save_figure(draw_ablation(summary, title), folder / 'ablation.png')
    print(f'\n{table}\n\n{folder}/ablation.md, ablation.json, ablation.png')
