"""A predictor on a data set's own expressions: what the tools that draw them share."""

from dataclasses import replace
from typing import Tuple

import numpy as np
import torch
from mmengine.config import Config

from mmris.datasets import RefCOCODataset
from mmris.datasets.controls import split_settings
from mmris.datasets.instance_masks import sample_masks
from mmris.datasets.transforms.loading import read_sample_image
from mmris.registry import DATASETS
from mmris.structures import ReferringDataSample
from mmris.visualization import ScoredPrediction

from .predictor import Predictor


def build_expressions(config: Config, split: str) -> RefCOCODataset:
    """Build the data set of a split, with one expression a sample.

    Args:
        config (Config): The config.
        split (str): A split, or an evaluation that ``test_cfg.splits`` names, a control too.

    Returns:
        RefCOCODataset: The data set, without augmentation.

    Raises:
        FileNotFoundError, ValueError: See :class:`RefCOCODataset`.
    """
    settings = dict(config.test_dataloader.dataset, **split_settings(config, split))
    return DATASETS.build(dict(settings, group_by='expression', test_mode=True))


def predict_sample(predictor: Predictor, dataset: RefCOCODataset, index: int) -> ScoredPrediction:
    """Predict for one expression of a data set, on what evaluation reads: the image as the pipeline loads it, and
    instance masks if the model takes them.

    Args:
        predictor (Predictor): The predictor; its image is then the sample's.
        dataset (RefCOCODataset): Of :func:`build_expressions`.
        index (int): Which sample.

    Returns:
        ScoredPrediction: The mask, beside the image and the ground truth.

    Raises:
        FileNotFoundError, ValueError: If the image, or what the data set says of it, cannot be read.
    """
    sample = dataset[index]['data_samples']
    masks = sample_masks(dataset.get_data_info(index)) if predictor.takes_instance_masks else None
    predictor.set_image(read_sample_image(sample.img_path, sample.get('upright', False)), masks)
    prediction = predictor.predict(sample.text)
    return ScoredPrediction(
        text=sample.text[0],
        image=predictor.image,
        target=sample.gt_original[0].numpy(),
        mask=prediction.protocol.masks(prediction.probabilities[0]),
        scoring=replace(predictor.protocol.scoring, existence_threshold=predictor.existence_threshold),
        existence=None if prediction.existence is None else float(prediction.existence[0]),
        at_input=_masks_at_input(predictor, sample) if prediction.protocol.at_input else None)


def _masks_at_input(predictor: Predictor, sample: ReferringDataSample) -> Tuple[np.ndarray, np.ndarray]:
    """Mask and target of a sample's expression on the input's pixels, where they are scored."""
    protocol, logits = predictor.protocol, torch.from_numpy(predictor.logits(sample.text).masks)
    mask = protocol.masks(protocol.probabilities_at_input(logits, sample.img_shape))
    return mask[0].numpy(), protocol.masks_at_input(sample.gt_original, sample.img_shape)[0].numpy()
