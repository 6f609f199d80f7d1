"""OpenMMLab's way to predict: many inputs, one call."""

import logging
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from tqdm import tqdm

from mmris.apis.predictor import Predictor
from mmris.images import GivenImage
from mmris.prediction import Prediction
from mmris.registry import INFERENCERS
from mmris.utils.terminal import one_line
from mmris.zoo import find_model

from .inputs import InputOptions, read_inputs
from .requests import Failure, ImageRequest, VideoFrame, report_failures
from .results import describe_prediction, to_sample
from .run import ALL_OUTPUTS, PredictionRun, RunSummary
from .sharing import Processes
from .videos import VideoReader

# A request, and its image as it was read.
Read = Tuple[ImageRequest, Union[GivenImage, Failure]]


@INFERENCERS.register_module()
class ReferringInferencer(BaseInferencer):
    """Masks for many images: files, folders, globs, lists, arrays and video files.

    ::

        inferencer = ReferringInferencer('cm-masksd-shaperef')
        for prediction in inferencer.iterate('photos', ['the red circle', 'the star'], batch_size=8):
            print(prediction.path, prediction.scores)
        inferencer.write('photos', 'results', ['the red circle', 'the star'], batch_size=8)

    =============  ==========================================================  ================================
    method         what it does with predictions                               memory
    =============  ==========================================================  ================================
    ``iterate``    yields them one by one                                      those of one batch
    ``write``      writes them to a folder; continues where it was killed      those of one batch
    ``__call__``   returns all of them, in the form of OpenMMLab               those of all images
    =============  ==========================================================  ================================

    Masks are those of :class:`~mmris.apis.Predictor`: the same bits with ``batch_size=1``, the same up to rounding with
    more images at a time.

    An image that cannot be read is skipped, with a warning, and listed at the end.

    Args:
        model (str, Path, Config, dict or Predictor): A config, a name of ``mmris models``, or a model that someone
            published, as :class:`~mmris.apis.Predictor` takes it; or a predictor, with which no other argument about
            the model is given.
        weights (str or Path, optional): The checkpoint. Default: None, its own weights if ``model`` is a name of the
            zoo or a published model.
        device (str, optional): Default: None, a GPU where there is one.
        scope (str): The scope of registries. Default: ``'mmris'``.
        show_progress (bool): Whether :meth:`__call__` and :meth:`write` show a progress bar. Default: True.
        **settings: ``threshold``, ``dtype``, ``existence_threshold`` and ``compile``, as of
            :class:`~mmris.apis.Predictor`.

    Raises:
        ValueError: If ``model`` is None: the config that a checkpoint holds is a program, and none is run.
        FileNotFoundError, ValueError, RuntimeError: As :meth:`Predictor.trained`.
    """

    preprocess_kwargs = {'sentences', 'recursive', 'every'}
    visualize_kwargs = {'return_vis'}

    def __init__(self,
                 model: Union[str, Path, Config, dict, Predictor, None] = None,
                 weights: Optional[Union[str, Path]] = None,
                 device: Optional[str] = None,
                 scope: str = 'mmris',
                 show_progress: bool = True,
                 **settings: Any) -> None:
        # Instead of the base's, which reads checkpoints by unpickling and metafiles of other packages.
        if model is None:
            raise ValueError('Name the config of the weights, or a model of `mmris models`: the config in a '
                             'checkpoint is a program, and is not run.')
        if isinstance(model, Predictor):
            if weights is not None or device is not None or settings:
                raise ValueError('A predictor has its weights, device and settings already: give it alone.')
            self.predictor = model
        else:
            config = Config(model) if isinstance(model, dict) else model
            named = find_model(config, hub=True) if isinstance(config, (str, Path)) else None
            if weights is None and named is not None and named.weights is not None:
                weights = named.name
            self.predictor = Predictor.trained(config, weights, device=device, **settings)
        self.scope = scope
        self.show_progress = show_progress
        self.model = self.predictor.model
        self.cfg = self.model.cfg
        self.pipeline = self._init_pipeline(self.cfg)
        self.collate_fn: Callable = list
        self.visualizer = None
        self._videos = VideoReader()

    def __call__(self, inputs: Any, return_datasamples: bool = False, batch_size: int = 1,
                 **kwargs: Any) -> Dict[str, Any]:
        """Predict for all inputs, and return everything at once.

        All predictions are held in memory: for many images, use :meth:`iterate` or :meth:`write`.

        Args:
            inputs (Any): See :func:`~mmris.apis.inferencer.inputs.read_inputs`.
            return_datasamples (bool): Whether predictions are samples with probabilities instead of plain values.
                Default: False.
            batch_size (int): How many images the model takes at a time. Default: 1.
            **kwargs: ``sentences`` (str or list of str) about each image, which pairs do without; ``recursive`` (bool)
                of folders, default False; ``every`` (int), each how many-th frame of videos is taken, default 1;
                ``return_vis`` (bool), whether to draw pictures, default False.

        Returns:
            dict: ``predictions``, for each image that could be read a dict of plain values (see
            :func:`~mmris.apis.inferencer.results.describe_prediction`) or a :class:`ReferringDataSample`;
            ``visualization``, for each of these a ``(H, W, 3)`` uint8 RGB picture, or empty; ``failures``, a
            :class:`Failure` for each of the others.

        Raises:
            FileNotFoundError, ValueError: As :meth:`iterate`, or if an argument is unknown.
        """
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        found: List[Prediction] = []
        requests: List[ImageRequest] = []
        failures: List[Failure] = []
        with tqdm(unit=' images', disable=not self.show_progress) as bar:
            for batch in self.preprocess(inputs, batch_size, **preprocess):
                for (request, _), outcome in zip(batch, self.forward(batch, **forward)):
                    if isinstance(outcome, Failure):
                        failures.append(outcome)
                    else:
                        found.append(outcome)
                        requests.append(request)
                bar.update(len(batch))
        report_failures(failures, len(found) + len(failures))
        visualization = self.visualize(requests, found, **visualize)
        return dict(
            self.postprocess(list(zip(requests, found)), visualization, return_datasamples, **postprocess),
            failures=failures)

    def iterate(self,
                inputs: Any,
                sentences: Optional[Union[str, Sequence[str]]] = None,
                *,
                batch_size: int = 1,
                recursive: bool = False,
                every: int = 1,
                failures: Optional[List[Failure]] = None) -> Iterator[Prediction]:
        """Predict for inputs one after the other. Nothing is kept of those that were yielded.

        Args:
            inputs (Any): See :func:`~mmris.apis.inferencer.inputs.read_inputs`.
            sentences (str or Sequence[str], optional): About each image. Default: None, the inputs are pairs.
            batch_size (int): How many images the model takes at a time. Default: 1.
            recursive (bool): Whether folders are read with the folders in them. Default: False.
            every (int): Of videos, each how many-th frame is taken. Default: 1.
            failures (list, optional): Gets a :class:`Failure` for each image that cannot be read. Default: None, they
                are logged alone.

        Yields:
            Prediction: Of each image that could be read, in order.

        Raises:
            FileNotFoundError: If a folder holds no image, or a pattern means no file.
            ValueError: If ``batch_size`` is below 1, there are no sentences, or no image could be read.
        """
        failures = [] if failures is None else failures
        before, count = len(failures), 0
        for batch in self.preprocess(inputs, batch_size, sentences=sentences, recursive=recursive, every=every):
            for outcome in self.forward(batch):
                count += 1
                if isinstance(outcome, Failure):
                    failures.append(outcome)
                else:
                    yield outcome
        report_failures(failures[before:], count)

    def write(self,
              inputs: Any,
              out: Union[str, Path],
              sentences: Optional[Union[str, Sequence[str]]] = None,
              *,
              batch_size: int = 1,
              recursive: bool = False,
              every: int = 1,
              outputs: Sequence[str] = ALL_OUTPUTS,
              overwrite: bool = False,
              processes: Optional[Processes] = None) -> RunSummary:
        """Predict for inputs, and write what is found to a folder as it is found.

        If it is killed, call it again: finished images are not predicted again, and the folder ends with the same
        bytes. The bytes do not depend on how many processes share the images either. Images that could not be read are
        tried again.

        Args:
            inputs (Any): See :func:`~mmris.apis.inferencer.inputs.read_inputs`, or the requests of
                :func:`~mmris.apis.inferencer.inputs.read_pair_file`. All are listed first, so name files if the
                images do not fit into memory.
            out (str or Path): The folder. It is made if it is missing.
            sentences, batch_size, recursive, every: As :meth:`iterate`.
            outputs (Sequence[str]): Which of ``'masks'`` (a PNG for each sentence), ``'overlays'`` (a picture for each
                image, none of frames) and ``'videos'`` (an overlaid video for each video) are written beside the COCO
                results. Default: all.
            overwrite (bool): Whether to remove what an earlier run wrote to the folder. Default: False.
            processes (Processes, optional): The processes that share the images. Default: None, this one alone.

        Returns:
            RunSummary: How many images were predicted, and which failed.

        Raises:
            FileNotFoundError, ValueError: As :meth:`iterate`; nothing is written then, but if no image could be read.
            ValueError: If the folder holds a run of other settings, or something else.
            RuntimeError: If another run is writing to the folder.
        """
        options = InputOptions(recursive=recursive, every=every, leave_out=Path(out))
        _check_batch_size(batch_size)
        requests = list(read_inputs(inputs, sentences, options))
        run = PredictionRun(self, requests, Path(out), batch_size=batch_size, outputs=outputs, processes=processes)
        return run(overwrite)

    def preprocess(self,
                   inputs: Any,
                   batch_size: int = 1,
                   *,
                   sentences: Optional[Union[str, Sequence[str]]] = None,
                   recursive: bool = False,
                   every: int = 1) -> Iterator[List[Read]]:
        """Read inputs, ``batch_size`` at a time: for each its request, and its pixels or why it cannot be read."""
        _check_batch_size(batch_size)
        requests = read_inputs(inputs, sentences, InputOptions(recursive=recursive, every=every))
        for chunk in self._get_chunk_data(map(self.pipeline, requests), batch_size):
            yield self.collate_fn(chunk)

    def forward(self, inputs: Sequence[Read]) -> List[Union[Prediction, Failure]]:
        """Predict for what :meth:`preprocess` read, in one pass of the model."""
        read = [(request, given) for request, given in inputs if not isinstance(given, Failure)]
        if not read:
            return [given for _, given in inputs]
        images = self.predictor.encode([given for _, given in read])
        predictions = iter(self.predictor.predict_batch([request.sentences for request, _ in read], images))
        return [given if isinstance(given, Failure) else next(predictions) for _, given in inputs]

    def visualize(self, inputs: list, preds: Sequence[Prediction], return_vis: bool = False) -> List[np.ndarray]:
        """Draw predictions, if that is asked for: see :meth:`Prediction.plot`."""
        return [np.asarray(prediction.plot()) for prediction in preds] if return_vis else []

    def postprocess(self,
                    preds: Sequence[Tuple[ImageRequest, Prediction]],
                    visualization: List[np.ndarray],
                    return_datasample: bool = False) -> Dict[str, list]:
        """Return predictions and pictures in the form of OpenMMLab: see :meth:`__call__`."""
        describe = to_sample if return_datasample else describe_prediction
        return dict(
            predictions=[describe(request, prediction) for request, prediction in preds], visualization=visualization)

    def read(self, request: ImageRequest) -> Read:
        """Read the image of a request.

        Args:
            request (ImageRequest): The request.

        Returns:
            tuple: The request, and the image or a :class:`Failure`, which is logged.
        """
        outcome = self._try_to_read(request)
        if isinstance(outcome, Failure):
            said = one_line(f'{request.name} is skipped: {outcome.reason}')
            print_log(said, logger='current', level=logging.WARNING)
        return request, outcome

    def read_pixels(self, request: ImageRequest) -> Optional[np.ndarray]:
        """Read the image of a request: ``(H0, W0, 3)`` uint8 RGB, or None if it cannot be read."""
        outcome = self._try_to_read(request)
        return None if isinstance(outcome, Failure) else outcome.pixels

    def _try_to_read(self, request: ImageRequest) -> Union[GivenImage, Failure]:
        image = request.image
        try:
            pixels = self._videos.read(image) if isinstance(image, VideoFrame) else image
            return self.predictor.read(pixels, request.instance_masks)
        except (OSError, ValueError) as error:
            return Failure(request.name, str(error))

    def _init_pipeline(self, cfg: Config) -> Callable[[ImageRequest], Read]:
        return self.read


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f'batch_size is a number of images, 1 or more, but got {batch_size}.')
