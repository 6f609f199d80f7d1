"""Draw a sheet of predictions beside the ground truth.

    python tools/analysis_tools/draw_predictions.py configs/cm_masksd/vit-tiny_shaperef.py \
        work_dirs/demo/best_mIoU_epoch_4.pth --split val --number 12 --out predictions.png
"""

import argparse
from typing import Iterator

import numpy as np
from torch.utils.data import Dataset

from mmris.apis import Predictor
from mmris.apis.mask_files import masks_of_sample
from mmris.datasets.controls import split_settings
from mmris.registry import DATASETS
from mmris.utils import write_atomically
from mmris.utils.configs import (
    add_checkpoint_argument,
    add_config_arguments,
    check_inputs,
    read_config,
    scoring_threshold,
)
from mmris.visualization import Prediction, draw_prediction_sheet


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw a sheet of predictions beside the ground truth.')
    add_config_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument('--split', default='val', help='split, or evaluation of the config (default: %(default)s)')
    parser.add_argument('--number', type=int, default=12, help='how many expressions (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='which ones are drawn (default: %(default)s)')
    parser.add_argument('--threshold', type=float, help='probability of a mask (default: that of the config\'s scores)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU where there is one)')
    parser.add_argument('--out', default='predictions.png', help='picture to write (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_inputs(checkpoint=arguments.checkpoint)
    config = read_config(arguments)
    predictor = Predictor.trained(config, arguments.checkpoint, arguments.device)
    settings = dict(config.test_dataloader.dataset, **split_settings(config, arguments.split))
    dataset = DATASETS.build(dict(settings, group_by='expression', test_mode=True))
    chosen = np.random.default_rng(arguments.seed).permutation(len(dataset))[:arguments.number]
    threshold = scoring_threshold(config) if arguments.threshold is None else arguments.threshold
    predictions = list(predict(dataset, sorted(chosen.tolist()), predictor, threshold))
    sheet = draw_prediction_sheet(
        predictions,
        title=f'Predictions on {arguments.split}',
        subtitle=f'{len(predictions)} of {len(dataset)} expressions, drawn at random (seed {arguments.seed}), not '
        f'selected; on the right of each, the IoU')
    with write_atomically(arguments.out) as temporary:
        sheet.save(temporary)
    print(f'{arguments.out}: {len(predictions)} expressions of {arguments.split}')


def predict(dataset: Dataset, indices: list, predictor: Predictor, threshold: float) -> Iterator[Prediction]:
    """Predict for one expression each."""
    for index in indices:
        sample = dataset[index]['data_samples']
        predictor.set_image(sample.img_path, masks_of_sample(predictor, dataset, index))
        yield Prediction(
            text=sample.text[0],
            image=predictor.image,
            target=sample.gt_original[0].numpy(),
            mask=predictor.predict(sample.text)[0] > threshold)


if __name__ == '__main__':
    main()
