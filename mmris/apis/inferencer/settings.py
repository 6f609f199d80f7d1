"""What decides the results of a run."""

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Dict

from mmris.checkpoints.runs import digest_parts
from mmris.utils.commands import plain
from mmris.version import __version__

from .requests import VideoFrame

if TYPE_CHECKING:
    from .run import PredictionRun

# What predicts. Branches of distillation are of the training, and may have random weights here.
_PARTS = ('encoder', 'neck', 'decoder', 'head', 'existence')


def describe_run(run: 'PredictionRun', images: Dict[str, Any]) -> Dict[str, Any]:
    """Describe all that decides the results of a run, of values that JSON has.

    Args:
        run (PredictionRun): The run.
        images (dict): See :func:`describe_images`.

    Returns:
        dict: Model, weights, thresholds, sentences, images and outputs. What is long is there as its SHA-256.
    """
    predictor = run.inferencer.predictor
    model, config = predictor.model, predictor.model.cfg
    sentences = {request.sentences for request in run.requests}
    return plain(
        dict(
            mmris=__version__,
            model=config.model.to_dict(),
            pipeline=[dict(step) for step in config.test_dataloader.dataset.pipeline],
            weights=digest_parts(model, [name for name in _PARTS if getattr(model, name) is not None]),
            dtype=str(next(model.parameters()).dtype).removeprefix('torch.'),
            protocol=predictor.protocol.name,
            threshold=predictor.protocol.threshold,
            existence_threshold=predictor.existence_threshold,
            sentences=list(next(iter(sentences))) if len(sentences) == 1 else 'of each image',
            images=images,
            batch_size=run.batch_size,
            outputs=list(run.outputs)))


def describe_images(run: 'PredictionRun') -> Dict[str, Any]:
    """Describe the images of a run and what is asked about each.

    Args:
        run (PredictionRun): The run.

    Returns:
        dict: ``count``, and ``sha256`` of names, sentences, further columns and instance masks.
    """
    digest = hashlib.sha256()
    for request in run.requests:
        asked = [request.name, request.video, request.sentences, [dict(columns) for columns in request.columns]]
        digest.update(json.dumps(asked, default=str).encode())
        # Files are known by their names, and what has no name by its pixels.
        arrays = [request.instance_masks]
        if not isinstance(request.image, (str, os.PathLike, VideoFrame)):
            arrays.append(run.inferencer.read_pixels(request))
        for array in arrays:
            if array is not None:
                digest.update(repr(array.shape).encode() + array.tobytes())
    return dict(count=len(run.requests), sha256=digest.hexdigest())
