"""A run over many images, which writes what it finds and continues where it was killed."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from PIL import Image
from tqdm import tqdm

from mmris.prediction import Prediction
from mmris.utils import write_atomically

from .folder import FOLDERS, ResultsFolder
from .merging import merge_records, read_summary
from .names import name_outputs
from .records import RecordFile, RecordPlace, find_records, find_unfinished
from .requests import Failure, ImageRequest, check_some_read
from .results import describe_image, describe_prediction
from .settings import describe_images, describe_run
from .sharing import Processes

if TYPE_CHECKING:
    from .inferencer import ReferringInferencer

ALL_OUTPUTS = tuple(FOLDERS)


class RunSummary(NamedTuple):
    """What a run has come to.

    Attributes:
        folder (Path): Where the results are.
        images (int): How many images there are, those that failed included.
        sentences (int): How many answers there are.
        nothing_fits (int): How many of these say that nothing in the image fits.
        failures (list[Failure]): The images that could not be read.
        predicted (int): How many images this process predicted now; the others were finished before, or are another's.
        found (int): How many images an earlier run had finished.
    """

    folder: Path
    images: int
    sentences: int
    nothing_fits: int
    failures: List[Failure]
    predicted: int
    found: int


class PredictionRun:
    """Predicts for images and writes what is found.

    Args:
        inferencer (ReferringInferencer): What predicts.
        requests (Sequence[ImageRequest]): All images, in order.
        out (Path): The folder of results.
        batch_size (int): How many images the model takes at a time. Which images these are depends on the order alone.
        outputs (Sequence[str]): Which of :data:`ALL_OUTPUTS` are written.
        processes (Processes, optional): Who shares the images. Default: None, this process alone.

    Raises:
        ValueError: If there is no image, or no such output.
    """

    def __init__(self,
                 inferencer: 'ReferringInferencer',
                 requests: Sequence[ImageRequest],
                 out: Path,
                 *,
                 batch_size: int,
                 outputs: Sequence[str],
                 processes: Optional[Processes] = None) -> None:
        unknown = sorted(set(outputs) - set(ALL_OUTPUTS))
        if unknown:
            raise ValueError(f'outputs are some of {", ".join(ALL_OUTPUTS)}, but got {", ".join(unknown)}.')
        if not requests:
            raise ValueError('There is no image to predict for: the inputs are empty.')
        self.inferencer = inferencer
        self.requests = requests
        self.folder = ResultsFolder(out)
        self.batch_size = batch_size
        self.outputs = tuple(one for one in ALL_OUTPUTS if one in outputs)
        self.processes = Processes() if processes is None else processes
        self.names = name_outputs(requests)
        self.batches = [
            range(start, min(start + batch_size, len(requests))) for start in range(0, len(requests), batch_size)
        ]

    def __call__(self, overwrite: bool = False) -> RunSummary:
        """Predict for all images that are not finished, and bring the results together.

        Args:
            overwrite (bool): Whether to remove what an earlier run wrote. Default: False.

        Returns:
            RunSummary: What the run has come to.

        Raises:
            ValueError, RuntimeError: See :class:`ResultsFolder`.
            ValueError: If no image could be read.
        """
        images = describe_images(self)
        if self.processes.share(images) != images:
            raise RuntimeError('This process found other inputs than the first one: they must be on a disk that all '
                               'processes share, and must not change meanwhile.')
        with ExitStack() as stack:

            def prepare() -> List[int]:
                stack.enter_context(self.folder.taken())
                self.folder.prepare(describe_run(self, images), overwrite)
                return self._find_unfinished(find_records(self.folder.record_files()))

            def finish() -> None:
                if unfinished or not self.folder.is_complete:
                    merge_records(self)

            unfinished = self.processes.do_once(prepare)
            found = len(self.requests) - sum(len(self.batches[number]) for number in unfinished)
            predicted = self._predict(self.processes.own(unfinished))
            self.processes.wait()
            self.processes.do_once(finish)
            sentences, nothing_fits, failures = read_summary(self.folder)
        check_some_read(failures, len(self.requests))
        return RunSummary(self.folder.path, len(self.requests), sentences, nothing_fits, failures, predicted, found)

    def _find_unfinished(self, found: Dict[int, RecordPlace]) -> List[int]:
        """Batches that are to be predicted: those that a failed image is back in, too."""
        unfinished = set(find_unfinished(self.batches, found))
        for number, batch in enumerate(self.batches):
            if number not in unfinished:
                failed = [index for index in batch if found[index].failed]
                if any(self.inferencer.read_pixels(self.requests[index]) is not None for index in failed):
                    unfinished.add(number)
        return sorted(unfinished)

    def _predict(self, own: Sequence[int]) -> int:
        """Predict for batches; the number of images in them."""
        if not own:
            return 0
        count = sum(len(self.batches[number]) for number in own)
        several = self.processes.count > 1
        bar = tqdm(
            total=count,
            unit=' images',
            desc=f'process 1 of {self.processes.count}' if several else None,
            disable=not (self.inferencer.show_progress and self.processes.is_first),
            mininterval=0.1 if sys.stderr.isatty() else 10)
        records = RecordFile(self.folder.part(self.processes.rank))
        try:
            with bar:
                for number in own:
                    records.add(self._predict_batch(self.batches[number]))
                    bar.update(len(self.batches[number]))
        finally:
            records.close()
        return count

    def _predict_batch(self, batch: range) -> List[Dict[str, Any]]:
        """Predict for a batch, and write the files of its images; its records."""
        read = [self.inferencer.read(self.requests[index]) for index in batch]
        outcomes = self.inferencer.forward(read)
        batch_read = sum(isinstance(outcome, Prediction) for outcome in outcomes)
        records = []
        for index, outcome in zip(batch, outcomes):
            request = self.requests[index]
            if isinstance(outcome, Failure):
                found = dict(describe_image(request), error=outcome.reason)
            else:
                self._write_pictures(index, outcome)
                found = describe_prediction(request, outcome, image_id=index + 1)
            records.append(dict(index=index, batch_read=batch_read, **found))
        return records

    def _write_pictures(self, index: int, prediction: Prediction) -> None:
        name = self.names.images[index]
        if 'masks' in self.outputs:
            for number, mask in enumerate(prediction.masks, start=1):
                _write_png(self.folder.file('masks', f'{name}_{number}.png'), mask.astype(np.uint8) * 255)
        if 'overlays' in self.outputs and self.requests[index].video is None:
            _write_png(self.folder.file('overlays', f'{name}.png'), np.asarray(prediction.plot()))


def _write_png(path: Path, picture: np.ndarray) -> None:
    with write_atomically(path) as temporary:
        Image.fromarray(picture).save(temporary)
