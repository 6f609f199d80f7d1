"""The work of ``mmris filter_report``."""

import argparse
from typing import Dict, Iterator, List, Tuple

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.utils import track_iter_progress
from torch import nn

from mmris.apis import init_model
from mmris.checkpoints.runs import load_pretrained, pretrained_parts
from mmris.datasets.controls import split_settings
from mmris.evaluation.filter_agreement import measure_filters
from mmris.registry import DATASETS
from mmris.structures import ReferringDataSample, ReferringInputs
from mmris.utils.configs import check_data, check_output, read_config
from mmris.utils.json_files import write_json_file
from mmris.utils.tables import markdown_table

COLUMNS = dict(
    selected='selected, so kept by chance',
    kept='kept when exchanged',
    target='of the target selected',
    target_exchanged='of the target when exchanged')


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, ['.json'])
    config = read_config(arguments)
    check_data(config, arguments.config)
    model = load_model(config, arguments)
    found = measure_filters(model, read_batches(model, config, arguments))
    if arguments.out is not None:
        write_json_file(arguments.out, found)
    print(format_filters(found))


def load_model(config: Config, arguments: argparse.Namespace) -> nn.Module:
    """The model with its checkpoint, or with the towers that training would begin from.

    Raises:
        ValueError: If there are neither.
    """
    model = init_model(config, arguments.checkpoint)
    if arguments.checkpoint is None:
        if not pretrained_parts(model):
            raise ValueError(f'{arguments.config} begins from no pretrained towers (model.encoder.pretrained), so that '
                             f'its filters would be random. Give a checkpoint of a training.')
        load_pretrained(model)
    return model


def read_batches(model: nn.Module, config: Config,
                 arguments: argparse.Namespace) -> Iterator[Tuple[ReferringInputs, List[ReferringDataSample]]]:
    """Images of a split with all their sentences, as training makes inputs of them."""
    train = config.train_dataloader.dataset
    # Its pipeline gives masks in the input's geometry, which that of evaluation does not.
    pipeline = next(iter(train.datasets.values())).pipeline if 'datasets' in train else train.pipeline
    settings = dict(config.test_dataloader.dataset, **split_settings(config, arguments.split))
    dataset = DATASETS.build(dict(settings, group_by='image', test_mode=True, pipeline=pipeline))
    for batch in track_iter_progress(list(torch.arange(len(dataset)).split(arguments.batch_size))):
        data = model.data_preprocessor(pseudo_collate([dataset[int(index)] for index in batch]), training=False)
        yield data['inputs'], data['data_samples']


def format_filters(found: Dict[str, Dict[str, float]]) -> str:
    """A Markdown table, a row a branch, in percent."""
    rows = [[name, *(f'{shares[key]:.1f}' if key in shares else '' for key in COLUMNS)]
            for name, shares in found.items()]
    return markdown_table(['branch', *COLUMNS.values()], rows)
