"""From the records of several processes to the files that a run leaves."""

import json
import shutil
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, List, Tuple

import numpy as np
from pycocotools import mask as coco_mask

from mmris.utils import write_atomically
from mmris.visualization import overlay_masks

from .folder import IMAGES, PREDICTIONS, RECORDS, ResultsFolder
from .records import RecordReader, encode_record, find_records
from .requests import Failure
from .results import CATEGORY
from .videos import VideoReader, frame_rate, write_video

if TYPE_CHECKING:
    from .run import PredictionRun


def merge_records(run: 'PredictionRun') -> None:
    """Write the COCO files, the records in the order of the inputs, and overlaid videos.

    The records are read one by one, and each file is whole or absent. Then the parts of processes are removed.

    Args:
        run (PredictionRun): A run, all of whose images have a record.
    """
    folder = run.folder
    found = find_records(folder.record_files())
    with RecordReader() as reader:
        if 'videos' in run.outputs:
            _write_videos(run, lambda index: reader.read(found[index]))
        with ExitStack() as stack:

            def open_file(name: str) -> IO[bytes]:
                return stack.enter_context(open(stack.enter_context(write_atomically(folder.path / name)), 'wb'))

            records = open_file(RECORDS)
            results, images = _ListWriter(open_file(PREDICTIONS), '['), _ListWriter(open_file(IMAGES), '{"images": [')
            failed: List[Dict[str, Any]] = []
            for index in range(len(run.requests)):
                record = reader.read(found[index])
                records.write(encode_record(record))
                image = {name: record[name] for name in ('file_name', 'video', 'frame') if name in record}
                if 'error' in record:
                    failed.append(dict(image, reason=record['error']))
                    continue
                images.add(dict(id=index + 1, **image, height=record['height'], width=record['width']))
                for result in record['results']:
                    results.add(result)
            results.end(']')
            rest = json.dumps(dict(annotations=[], categories=[CATEGORY], failed=failed))
            images.end(f'], {rest[1:]}')
    shutil.rmtree(folder.parts)


def read_summary(folder: ResultsFolder) -> Tuple[int, int, List[Failure]]:
    """Count what is in a folder in which a run has ended.

    Args:
        folder (ResultsFolder): The folder.

    Returns:
        tuple: How many answers there are; how many of these say that nothing fits; and the images that failed.
    """
    sentences, nothing_fits = 0, 0
    failures: List[Failure] = []
    with open(folder.path / RECORDS, 'rb') as file:
        for line in file:
            record = json.loads(line)
            if 'error' in record:
                failures.append(Failure(record['file_name'], record['error']))
            results = record.get('results', ())
            sentences += len(results)
            nothing_fits += sum(not result['exists'] for result in results)
    return sentences, nothing_fits, failures


class _ListWriter:
    """Writes a JSON list entry by entry, one a line.

    Args:
        file (IO[bytes]): Where to.
        beginning (str): What comes before the first entry.
    """

    def __init__(self, file: IO[bytes], beginning: str) -> None:
        self._file, self._before = file, beginning

    def add(self, entry: Dict[str, Any]) -> None:
        self._file.write(f'{self._before}\n{json.dumps(entry)}'.encode('ascii'))
        self._before = ','

    def end(self, ending: str) -> None:
        # An empty list has nothing before its end but its beginning.
        before = '\n' if self._before == ',' else self._before
        self._file.write(f'{before}{ending}\n'.encode('ascii'))


def _write_videos(run: 'PredictionRun', read: Callable[[int], Dict[str, Any]]) -> None:
    reader = VideoReader()
    for video in run.names.videos:
        readable = [index for index in video.frames if 'error' not in read(index)]
        if not readable:
            continue
        first, *others = (run.requests[index].image for index in video.frames[:2])
        # Each how many-th frame was taken.
        every = others[0].number - first.number if others else 1
        with write_video(run.folder.file('videos', f'{video.name}.mp4'), frame_rate(first.path) / every) as write:
            for index in readable:
                masks = [_decode(result) for result in read(index)['results']]
                write(overlay_masks(reader.read(run.requests[index].image), masks))
    reader.close()


def _decode(result: Dict[str, Any]) -> np.ndarray:
    return coco_mask.decode(result['segmentation']).astype(bool)
