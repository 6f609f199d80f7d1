"""The work of ``mmris browse_dataset``."""

import argparse
import sys
from pathlib import Path
from typing import Callable

import numpy as np
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress

from mmris.registry import DATASETS, TRANSFORMS
from mmris.utils import type_name, write_atomically
from mmris.utils.configs import check_output, read_config
from mmris.visualization import COLOURS, SHEET_SUFFIXES, Panel, draw_sheet, instances_panel, spotlight


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, SHEET_SUFFIXES)
    config = read_config(arguments)
    init_default_scope(config.get('default_scope', 'mmris'))
    dataset_config = config[f'{arguments.loader}_dataloader'].dataset
    if arguments.split is not None:
        dataset_config.split = arguments.split
    dataset_config.pipeline = input_masks_pipeline(dataset_config.pipeline)
    dataset = DATASETS.build(dataset_config)
    dataset.set_epoch(arguments.epoch, config.get('randomness', {}).get('seed') or 0)

    chosen = np.linspace(0, len(dataset) - 1, min(arguments.number, len(dataset))).astype(int)
    tokenize = next(step for step in dataset_config.pipeline if type_name(step) == 'Tokenize')
    tokenizer = TRANSFORMS.build(tokenize.tokenizer)
    panels, expressions = [], 0
    for index in track_iter_progress(chosen.tolist(), file=sys.stdout):
        packed = dataset[index]
        panels.extend(draw_sample(packed, tokenizer))
        expressions += len(packed['data_samples'].token_ids)
    sheet = draw_sheet(
        panels,
        title=f'{Path(arguments.config).stem}, {dataset.split}',
        subtitle=f'{len(dataset)} samples, {dataset.num_expressions} expressions; captions are the tokens as decoded',
        columns=4,
        cell=260,
        caption_lines=None)
    with write_atomically(arguments.out) as temporary:
        sheet.save(temporary)
    print(f'\n{arguments.out}: {expressions} expressions of {len(chosen)} samples')


def input_masks_pipeline(pipeline: list) -> list:
    """The same pipeline with masks loaded before the geometry, so that they are drawn on what the model sees."""
    steps = [step for step in pipeline if type_name(step) not in ('LoadMasks', 'PackReferringInputs')]
    return [
        steps[0],
        dict(type='mmris.LoadMasks'), *steps[1:],
        dict(type='mmris.PackReferringInputs', masks=['gt_input'])
    ]


def draw_sample(packed: dict, tokenizer: Callable) -> list:
    """One panel an expression of one sample, after one with what was found on its image."""
    image = packed['inputs'].permute(1, 2, 0).numpy()
    sample = packed['data_samples']
    panels = [instances_panel(image, sample.instance_masks.numpy())] if 'instance_masks' in sample else []
    for position, (ids, mask) in enumerate(zip(sample.token_ids, sample.token_mask)):
        colour = COLOURS[position % len(COLOURS)]
        panels.append(
            Panel(
                caption=tokenizer.decode(ids, mask) or '(empty sentence)',
                note=f'{int(mask.sum())} tokens',
                colour=colour,
                pictures=[spotlight(image, sample.gt_input[position].numpy() >= 128, colour)]))
    return panels
