"""The masks of sentences about an image."""

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from mmris.protocols import Protocol, check_existence_threshold
from mmris.utils.json_files import write_json_file
from mmris.utils.run_lengths import encode_mask
from mmris.visualization import draw_sentences

from .outputs import check_name, choose_outputs, image_address, names_of_image, remove_outputs, save_output


class SavedPrediction(NamedTuple):
    """The files that :meth:`Prediction.save` wrote.

    Attributes:
        masks (list[Path]): A PNG for each sentence: 255 inside the mask, 0 outside.
        overlay (Path): A PNG: the image with all masks, and with the mask of each sentence.
        json (Path): Sentences, boxes, scores, areas and masks in COCO's form.
    """

    masks: List[Path]
    overlay: Path
    json: Path


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The masks of S sentences about one image, and what follows from them.

    :meth:`Predictor.predict` returns one. It has the length S, and ``prediction[i]``, a slice and iteration give
    predictions too::

        for one in prediction:
            print(one.sentences[0], one.boxes[0], one.scores[0])

    A notebook shows it as a picture.

    Attributes:
        sentences (tuple[str]): S sentences.
        probabilities (ndarray): ``(S, H0, W0)`` float32 in [0, 1], on the original pixels of the upright image. If
            ``protocol.binary``, they are 0 or 1, since the protocol's threshold has been applied.
        protocol (Protocol): Which pixels belong to masks.
        image (ndarray): ``(H0, W0, 3)`` uint8 RGB, read-only: the upright image.
        existence (ndarray, optional): ``(S,)`` float32 in [0, 1], how sure the model's existence head is that
            something on the image fits. None: the model has no such head.
        existence_threshold (float): Below this existence, nothing fits. Default: 0.5.
        path (str, optional): The image's file. None if the image was no file.
        instance_masks (ndarray, optional): ``(K, H0, W0)``, not 0 inside of an instance: those that the model got
            with the image. None if it got none.

    All arrays are read-only. Copy an array to change it.
    """

    sentences: Tuple[str, ...]
    probabilities: np.ndarray
    protocol: Protocol
    image: np.ndarray
    existence: Optional[np.ndarray] = None
    existence_threshold: float = 0.5
    path: Optional[str] = None
    instance_masks: Optional[np.ndarray] = None

    def __post_init__(self) -> None:
        # Masks, areas, boxes and scores follow from these once.
        for array in (self.probabilities, self.existence):
            if array is not None:
                array.setflags(write=False)

    @property
    def threshold(self) -> float:
        """float: The probability, in [0, 1), above which a pixel belongs to a mask."""
        return self.protocol.threshold

    @cached_property
    def exists(self) -> np.ndarray:
        """ndarray: ``(S,)`` bool, whether anything on the image fits: by the existence head, or else if the mask has as
        many pixels as the protocol asks for."""
        if self.existence is not None:
            return _read_only(self.existence >= np.float32(self.existence_threshold))
        return _read_only(~self.protocol.scoring.reject(self._pixels))

    @cached_property
    def masks(self) -> np.ndarray:
        """ndarray: ``(S, H0, W0)`` bool; empty where nothing fits."""
        return _read_only(self._decided & self.exists[:, None, None])

    @cached_property
    def _decided(self) -> np.ndarray:
        return self.protocol.masks(self.probabilities)

    @cached_property
    def _pixels(self) -> np.ndarray:
        return np.array([np.count_nonzero(mask) for mask in self._decided], dtype=np.int64)

    @cached_property
    def areas(self) -> np.ndarray:
        """ndarray: ``(S,)`` int64, pixels of each mask."""
        return _read_only(np.where(self.exists, self._pixels, 0))

    @cached_property
    def boxes(self) -> np.ndarray:
        """ndarray: ``(S, 4)`` float32, ``x0, y0, x1, y1`` in pixels around each mask; the pixel at the top left
        reaches from 0 to 1. All 0 for an empty mask."""
        boxes = np.zeros((len(self), 4), dtype=np.float32)
        for box, mask in zip(boxes, self.masks):
            columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            if len(columns):
                box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return _read_only(boxes)

    @cached_property
    def scores(self) -> np.ndarray:
        """ndarray: ``(S,)`` float32, the mean probability inside each mask; 0 for an empty mask."""
        inside = [values[mask].sum(dtype=np.float64) for values, mask in zip(self.probabilities, self.masks)]
        return _read_only((np.array(inside) / np.maximum(self.areas, 1)).astype(np.float32))

    @cached_property
    def notes(self) -> Tuple[str, ...]:
        """tuple[str]: What the answer to each sentence is, in words: how much of the image the mask covers and its
        score, or that nothing in the picture fits, and how sure the existence head is."""
        return tuple(self._note(place) for place in range(len(self)))

    def _note(self, place: int) -> str:
        sure = None if self.existence is None else float(self.existence[place])
        if not self.exists[place]:
            return 'nothing in the picture fits' if sure is None else \
                f'nothing in the picture fits ({100 * (1 - sure):.0f}% sure)'
        share = 100 * self.areas[place] / self._decided[place].size
        note = f'{share:.1f}% of the image, score {self.scores[place]:.2f}'
        return note if sure is None else f'{note}, {100 * sure:.0f}% sure that something fits'

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, which: Union[int, slice, Sequence[int], np.ndarray]) -> 'Prediction':
        """Return the prediction of one sentence, or of several: ``prediction[prediction.scores > 0.6]``.

        Raises:
            IndexError: If there is no sentence of that number.
            TypeError: If ``which`` is no whole number, slice, or list or array of whole numbers or bools.
        """
        if isinstance(which, (int, np.integer)) and not isinstance(which, bool):
            if not -len(self) <= which < len(self):
                there = f'there are {len(self)}, from 0 to {len(self) - 1}' if len(self) else 'there is none'
                raise IndexError(f'There is no prediction {which}: {there}.')
            which = slice(which, which + 1 or None)
        if not isinstance(which, (slice, list, np.ndarray)):
            raise TypeError(f'A prediction is indexed by a whole number, a slice, or a list or array of whole numbers '
                            f'or bools, but got {type(which).__name__}.')
        rows = np.arange(len(self))[which]
        return replace(
            self,
            sentences=tuple(self.sentences[row] for row in rows),
            probabilities=self.probabilities[rows],
            existence=None if self.existence is None else self.existence[rows])

    def __iter__(self) -> Iterator['Prediction']:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        sentences = ', '.join(f'{sentence!r} ({100 * area / (height * width):.1f}% of the image)'
                              for sentence, area in zip(self.sentences, self.areas))
        return f'<Prediction on {height} x {width} pixels (height x width): {sentences}>'

    def with_threshold(self, threshold: Optional[float]) -> 'Prediction':
        """Return the same prediction with masks by another threshold.

        Args:
            threshold (float, optional): In [0, 1). None: the same.

        Raises:
            ValueError: See :meth:`~mmris.protocols.Protocol.with_threshold`.
        """
        return replace(self, protocol=self.protocol.with_threshold(threshold))

    def with_existence_threshold(self, threshold: float) -> 'Prediction':
        """Return the same prediction, with nothing found for the sentences whose existence is below another threshold.

        Args:
            threshold (float): In (0, 1).

        Raises:
            ValueError: If ``threshold`` is not in that range, or there is no existence to compare.
        """
        if self.existence is None:
            raise ValueError(f'The model has no existence head, so an existence_threshold of {threshold} would have no '
                             f'effect.')
        return replace(self, existence_threshold=check_existence_threshold(threshold))

    def to_coco(self, image_id: Union[int, str] = 0, category_id: int = 1) -> List[Dict[str, Any]]:
        """Return COCO's results, one entry for each sentence.

        Args:
            image_id (int or str): The image's id. Default: 0.
            category_id (int): The category's id. Default: 1.

        Returns:
            list[dict]: ``image_id``, ``category_id``, ``segmentation`` (RLE, its counts a string), ``bbox``
            (``x, y, width, height`` in pixels), ``area`` in pixels, ``score``, ``sentence``, and ``existence`` if
            there is an existence head.
        """
        results = []
        for sentence, mask, (x0, y0, x1, y1), area, score in zip(self.sentences, self.masks, self.boxes.tolist(),
                                                                 self.areas.tolist(), self.scores.tolist()):
            results.append(
                dict(
                    image_id=image_id,
                    category_id=category_id,
                    segmentation=encode_mask(mask),
                    bbox=[x0, y0, x1 - x0, y1 - y0],
                    area=area,
                    score=score,
                    sentence=sentence))
        if self.existence is not None:
            for result, existence in zip(results, self.existence.tolist()):
                result['existence'] = existence
        return results

    def to_supervision(self) -> Any:
        """Return a ``supervision.Detections``: a detection for each sentence whose mask is not empty.

        Their ``class_id`` is the sentence's place, ``data['class_name']`` the sentence.

        Raises:
            ImportError: If supervision is not installed.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise ImportError(
                'to_supervision needs the package supervision. Install it: pip install supervision') from error
        found = np.flatnonzero(self.areas)
        return Detections(
            xyxy=self.boxes[found],
            mask=self.masks[found],
            confidence=self.scores[found],
            class_id=found,
            data=dict(class_name=np.array(self.sentences, dtype=str)[found]))

    def plot(self) -> Image.Image:
        """Draw the image with all masks, and with the mask of each sentence.

        Returns:
            Image: RGB.

        Raises:
            ValueError: If the prediction is empty.
        """
        if not self.sentences:
            raise ValueError('The prediction is empty, so there is nothing to draw: no sentence is in it.')
        return draw_sentences(self.image, self.sentences, self.masks, self.notes, self.instance_masks)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.plot().save(buffer, 'PNG')
        return buffer.getvalue()

    def save(self, folder: Union[str, Path], name: Optional[str] = None) -> SavedPrediction:
        """Write masks, a picture and a JSON file.

        The files are named after the image: ``photo_1_mask.png``, ``photo_2_mask.png``, ..., ``photo_overlay.png`` and
        ``photo.json`` for ``photo.jpg``. If you save a prediction about the same image again, its files replace the
        earlier ones. Files of another image are never overwritten: the names are then those of ``photo.jpg``
        (``photo.jpg_1_mask.png``), or have a number. Two images are the same if their paths are, or their pixels if
        they were no files.

        Args:
            folder (str or Path): Where to. It is made if it is missing.
            name (str, optional): What the names begin with. Default: None, the name of the image's file, or
                ``'image'`` if the image was no file.

        Returns:
            SavedPrediction: The files.

        Raises:
            ValueError: If the prediction is empty, or ``name`` cannot begin the name of a file.
            OSError: If a file cannot be written.
        """
        names = names_of_image(self.path or 'image') if name is None else [check_name(name)]
        source = f'sha256:{self._digest()}' if self.path is None else image_address(self.path)
        overlay = np.asarray(self.plot())
        endings = ['_overlay.png', '.json', *(f'_{number}_mask.png' for number in range(1, len(self) + 1))]
        saved = SavedPrediction(*_in_order(choose_outputs(folder, names, source, endings)))
        save_output(overlay, saved.overlay, source)
        for path, mask in zip(saved.masks, self.masks):
            save_output(mask.astype(np.uint8) * 255, path, source)
        write_json_file(saved.json, self._describe(source, saved.masks))
        begin = str(saved.overlay).removesuffix('_overlay.png')
        remove_outputs((Path(f'{begin}_{number}_mask.png') for number in count(len(self) + 1)), source)
        return saved

    def _digest(self) -> str:
        return hashlib.sha256(repr(self.image.shape).encode() + self.image.tobytes()).hexdigest()

    def _describe(self, source: str, masks: List[Path]) -> Dict[str, Any]:
        height, width = self.image.shape[:2]
        results = self.to_coco()
        for result, path in zip(results, masks):
            del result['image_id'], result['category_id']
            result['mask'] = path.name
        thresholds = dict(threshold=self.threshold)
        if self.existence is not None:
            thresholds['existence_threshold'] = self.existence_threshold
        return dict(source=source, height=height, width=width, **thresholds, predictions=results)


def _in_order(paths: List[Path]) -> Tuple[List[Path], Path, Path]:
    overlay, record, *masks = paths
    return masks, overlay, record


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
