"""Predictions as plain values, for JSON."""

import os
from typing import Any, Dict

import torch

from mmris.prediction import Prediction
from mmris.structures import ReferringDataSample

from .requests import ImageRequest, VideoFrame

#: The id of the one category that all results have.
CATEGORY = dict(id=1, name='referred object')


def describe_prediction(request: ImageRequest, prediction: Prediction, image_id: int = 0) -> Dict[str, Any]:
    """Describe what was found on an image.

    Args:
        request (ImageRequest): What was asked.
        prediction (Prediction): What was answered.
        image_id (int): The image's id in results. Default: 0.

    Returns:
        dict: ``file_name``; ``video`` and ``frame`` (from 0) if the image is one of a video; ``height`` and ``width``
        in pixels; ``results``: for each sentence a COCO result as of :meth:`Prediction.to_coco`, with ``file_name``,
        ``exists`` (whether anything in the image fits; if not, the mask is empty), and ``columns`` if the file of
        sentences has further ones.
    """
    results = prediction.to_coco(image_id, CATEGORY['id'])
    for place, (result, exists) in enumerate(zip(results, prediction.exists.tolist())):
        result.update(file_name=request.name, exists=exists)
        if request.columns:
            result['columns'] = dict(request.columns[place])
    height, width = prediction.image.shape[:2]
    return dict(describe_image(request), height=height, width=width, results=results)


def describe_image(request: ImageRequest) -> Dict[str, Any]:
    """``file_name`` of a request's image, and ``video`` and ``frame`` if it is one of a video."""
    described: Dict[str, Any] = dict(file_name=request.name)
    if isinstance(request.image, VideoFrame):
        described.update(video=request.video, frame=request.image.number)
    return described


def to_sample(request: ImageRequest, prediction: Prediction) -> ReferringDataSample:
    """Pack what was found on an image into a sample: ``probabilities``, and ``existence`` if the model has that head.

    Args:
        request (ImageRequest): What was asked.
        prediction (Prediction): What was answered.
    """
    path = request.image if isinstance(request.image, (str, os.PathLike)) else None
    sample = ReferringDataSample(
        metainfo=dict(
            img_path=path,
            ori_shape=prediction.image.shape[:2],
            text=list(prediction.sentences),
            protocol=prediction.protocol.name))
    sample.probabilities = torch.from_numpy(prediction.probabilities.copy())
    if prediction.existence is not None:
        sample.existence = torch.from_numpy(prediction.existence.copy())
    return sample
