"""The work of ``mmris draw_predictions``."""

import argparse

import numpy as np

from mmris.apis import Predictor
from mmris.apis.samples import build_expressions, predict_sample
from mmris.utils import write_atomically
from mmris.utils.configs import (
    check_data,
    check_output,
    choose_checkpoint,
    prediction_settings,
    read_config,
)
from mmris.visualization import SHEET_SUFFIXES, draw_prediction_sheet


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, SHEET_SUFFIXES)
    arguments.checkpoint = choose_checkpoint(arguments)
    config = read_config(arguments)
    check_data(config, arguments.config)
    predictor = Predictor.trained(config, arguments.checkpoint, **prediction_settings(arguments))
    dataset = build_expressions(config, arguments.split)
    chosen = np.random.default_rng(arguments.seed).permutation(len(dataset))[:arguments.number]
    predictions = [predict_sample(predictor, dataset, index) for index in sorted(chosen.tolist())]
    sheet = draw_prediction_sheet(
        predictions,
        title=f'Predictions on {arguments.split}',
        subtitle=f'{len(predictions)} of {len(dataset)} expressions, drawn at random (seed {arguments.seed}), not '
        f'selected; on the right of each, the IoU')
    with write_atomically(arguments.out) as temporary:
        sheet.save(temporary)
    print(f'{arguments.out}: {len(predictions)} expressions of {arguments.split}')
