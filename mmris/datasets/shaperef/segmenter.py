"""Instance masks as an imperfect segmenter finds them: outlines that waver, objects missed or found twice, phantoms."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmris.utils.run_lengths import encode_mask

MISSED = 0.1
"""Share of the objects that are not found."""

DOUBLED = 0.1
"""Share of those found that are found a second time, less well."""

FALSE_MASKS = 0.3
"""How many masks of nothing an image has on average."""

WRONG_CATEGORY = 0.08
"""Share of all masks that have another category than their object."""

_GROWTH = 2.0  # Pixels by which an outline is too wide or too narrow as a whole, at most.
_WAVER = 1.2  # Standard deviation of what an outline wavers by in places, in pixels.
_WAVE = 9  # Pixels from one wave to the next.
_SHIFT = 1.0  # Standard deviation of a mask's shift to each side, in pixels.
_WORSE = 1.6  # How many times as much of all that a second mask has.
_FALSE_RADIUS = (5, 15)  # Of phantoms, in pixels.
_FALSE_PART = 0.4  # Share of the phantoms that are parts of an object.
_FEWEST_PIXELS = 12  # What is smaller is not reported.

# Where scores lie, and how: a + (b - a) * beta(p, q). They tell something, but no threshold parts true from false.
_TRUE_SCORE = (0.5, 0.99, 4.0, 2.0)
_LOW_SCORE = (0.3, 0.8, 2.0, 2.5)

# Follows seed, split and index in the seed of a stream: far from the numbers of the styles, whose streams are others.
_STREAM = 1000

# Score, category, mask.
_Found = Tuple[float, int, np.ndarray]


class Findings(NamedTuple):
    """What was found on one image.

    Attributes:
        results: Entries of a COCO results file, surest first; at least one, since such a file cannot tell that nothing
            was found.
        missing: Objects that were not found.
        doubled: Objects that were found twice.
        false: Masks of nothing.
    """

    results: List[Dict[str, Any]]
    missing: int
    doubled: int
    false: int


def find_instances(*, seed: int, split_number: int, index: int, image_id: int, masks: Sequence[np.ndarray],
                   categories: Sequence[int], category_count: int) -> Findings:
    """Find the objects of one image, as well as a segmenter would.

    Args:
        seed: Seed of the whole set, >= 0.
        split_number: Number of the split.
        index: Number of the image in its split.
        image_id: Id of the image in the results.
        masks: For each object ``(height, width)`` bool, the visible part.
        categories: For each object its category, from 1 on.
        category_count: How many categories there are.

    Returns:
        What was found, which depends on nothing but the arguments.
    """
    generator = np.random.default_rng([seed, split_number, index, _STREAM])
    found, missing, doubled = _find_objects(generator, masks, categories)
    false = 0
    for _ in range(generator.poisson(FALSE_MASKS)):
        mask = _distort(generator, _phantom(generator, masks))
        score, category = _score(generator, _LOW_SCORE), int(generator.integers(1, category_count + 1))
        if mask is not None:
            false += 1
            found.append((score, category, mask))
    for place, (score, category, mask) in enumerate(found):
        if generator.random() < WRONG_CATEGORY:
            other = 1 + (category + int(generator.integers(category_count - 1))) % category_count
            found[place] = (score, other, mask)
    found.sort(key=lambda one: -one[0])
    return Findings([_result(image_id, *one) for one in found], missing, doubled, false)


def _find_objects(generator: np.random.Generator, masks: Sequence[np.ndarray],
                  categories: Sequence[int]) -> Tuple[List[_Found], int, int]:
    """Find at least one object; also tell how many are missing and how many doubled."""
    found: List[_Found] = []
    missing = doubled = 0
    # In a random order, so that the one that is found where all would be missed is any.
    for place, number in enumerate(generator.permutation(len(masks)).tolist(), start=1):
        is_missed, is_doubled = generator.random(2) < (MISSED, DOUBLED)
        mask = _distort(generator, masks[number])
        again = _distort(generator, masks[number], _WORSE)
        score, low_score = _score(generator, _TRUE_SCORE), _score(generator, _LOW_SCORE)
        is_last_chance = place == len(masks) and not found
        if not is_last_chance and (is_missed or mask is None):
            missing += 1
            continue
        found.append((score, categories[number], masks[number] if mask is None else mask))
        if is_doubled and again is not None:
            doubled += 1
            found.append((low_score, categories[number], again))
    return found, missing, doubled


def _distort(generator: np.random.Generator, mask: np.ndarray, much: float = 1.0) -> Optional[np.ndarray]:
    """The mask with another outline, some pixels off; None if hardly anything is left of it."""
    height, width = mask.shape
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    cells = generator.standard_normal((height // _WAVE + 2, width // _WAVE + 2)).astype(np.float32)
    waves = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    growth = float(generator.uniform(-_GROWTH, _GROWTH))
    found = inside - outside + much * (growth + _WAVER * waves) > 0
    down, right = np.round(much * _SHIFT * generator.standard_normal(2)).astype(int).tolist()
    found = _shift(found, down, right)
    return found if found.sum() >= _FEWEST_PIXELS else None


def _shift(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    rows, columns = rows + down, columns + right
    stay = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    shifted = np.zeros_like(mask)
    shifted[rows[stay], columns[stay]] = True
    return shifted


def _phantom(generator: np.random.Generator, masks: Sequence[np.ndarray]) -> np.ndarray:
    """A mask of nothing: one side of an object, or an ellipse or a rectangle anywhere."""
    height, width = masks[0].shape
    y, x = np.mgrid[:height, :width]
    angle = generator.uniform(0, 2 * np.pi)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    if generator.random() < _FALSE_PART:
        mask = masks[int(generator.integers(len(masks)))]
        rows, columns = np.nonzero(mask)
        return mask & (cosine * (x - columns.mean()) + sine * (y - rows.mean()) > 0)
    x, y = x - generator.uniform(0, width), y - generator.uniform(0, height)
    along, across = generator.uniform(*_FALSE_RADIUS, 2)
    u, v = np.abs(cosine * x + sine * y) / along, np.abs(cosine * y - sine * x) / across
    return u**2 + v**2 < 1 if generator.random() < 0.5 else np.maximum(u, v) < 1


def _score(generator: np.random.Generator, form: Tuple[float, float, float, float]) -> float:
    low, high, p, q = form
    return round(low + (high - low) * float(generator.beta(p, q)), 4)


def _result(image_id: int, score: float, category: int, mask: np.ndarray) -> Dict[str, Any]:
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    return {
        'image_id': image_id,
        'bbox': [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top],
        'score': score,
        'category_id': category,
        'segmentation': encode_mask(mask),
    }
