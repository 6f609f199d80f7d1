"""Draw a sheet of predictions beside the ground truth.

    python tools/analysis_tools/draw_predictions.py configs/cm_masksd/vit-tiny_shaperef.py \
        work_dirs/demo/best_mIoU_epoch_4.pth --split val --number 12 --out predictions.png
"""

import argparse

import numpy as np

from mmris.apis import Predictor
from mmris.apis.samples import build_expressions, predict_sample
from mmris.utils import write_atomically
from mmris.utils.arguments import at_least
from mmris.utils.configs import (
    add_checkpoint_argument,
    add_config_arguments,
    add_prediction_arguments,
    check_output,
    choose_checkpoint,
    prediction_settings,
    read_config,
)
from mmris.utils.tool import run_tool
from mmris.visualization import SHEET_SUFFIXES, draw_prediction_sheet


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw a sheet of predictions beside the ground truth.')
    add_config_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument('--split', default='val', help='split, or evaluation of the config (default: %(default)s)')
    parser.add_argument('--number', type=at_least(1), default=12, help='how many expressions (default: %(default)s)')
    parser.add_argument('--seed', type=at_least(0), default=0, help='which ones are drawn (default: %(default)s)')
    add_prediction_arguments(parser)
    parser.add_argument('--out', default='predictions.png', help='picture to write (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_output(arguments.out, SHEET_SUFFIXES)
    arguments.checkpoint = choose_checkpoint(arguments)
    config = read_config(arguments)
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


if __name__ == '__main__':
    run_tool(main)
