"""Drawing: coloured shapes, antialiased, shaded and with a soft shadow, on textured grounds."""

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple

import cv2
import numpy as np

SHAPES = ('circle', 'square', 'triangle', 'star', 'cross')

# RGB of each colour word; far enough apart that jitter and JPEG do not mix them up.
COLOUR_RGB: Dict[str, Tuple[int, int, int]] = {
    'red': (214, 38, 42),
    'green': (52, 158, 66),
    'blue': (44, 96, 210),
    'yellow': (246, 218, 44),
    'purple': (142, 62, 176),
    'orange': (245, 130, 28),
}
COLOURS = tuple(COLOUR_RGB)

REACH = 1.2
"""No outline extends further than this many radii from its centre."""

_SUPERSAMPLING = 4
_BORDER = 14  # room around the canvas for shadows and patches that overhang the image


@dataclass(frozen=True, eq=False)
class Piece:
    """An object to be drawn: a square patch of the canvas with what the object covers of it.

    Attributes:
        colour: One of :data:`COLOURS`.
        rows: Rows of the patch on the canvas, which has a border around the image.
        columns: Columns of the patch.
        fine: ``(side * 4, side * 4)`` uint8, 255 inside the outline, at four times the resolution.
        coverage: ``(side, side)`` float32, the share of each pixel inside the outline.
        solid: ``(side, side)`` bool, pixels at least half covered.
    """

    colour: str
    rows: slice
    columns: slice
    fine: np.ndarray
    coverage: np.ndarray
    solid: np.ndarray


def _outline(shape: str) -> np.ndarray:
    """Corners (n, 2) of a shape of radius 1 around the origin, y pointing down."""
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    if shape == 'circle':
        return np.stack([np.cos(turns), np.sin(turns)], axis=1)
    if shape == 'star':
        angles = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2 == 0, 1.17, 0.52)
        return np.stack([reach * np.cos(angles), reach * np.sin(angles) + 0.08], axis=1)
    corners = {
        'square': [(-.88, -.88), (.88, -.88), (.88, .88), (-.88, .88)],
        'triangle': [(0, -1.02), (1.04, .76), (-1.04, .76)],
        'cross': [(-.36, -1.05), (.36, -1.05), (.36, -.36), (1.05, -.36), (1.05, .36), (.36, .36),
                  (.36, 1.05), (-.36, 1.05), (-.36, .36), (-1.05, .36), (-1.05, -.36),
                  (-.36, -.36)],
    }
    return np.array(corners[shape])


_OUTLINES = {shape: _outline(shape) for shape in SHAPES}


def make_piece(*, shape: str, colour: str, centre: np.ndarray, radius: float,
               angle: float) -> Piece:
    """Rasterise one object, antialiased, into a patch of its own.

    Args:
        shape: One of :data:`SHAPES`.
        colour: One of :data:`COLOURS`.
        centre: ``(x, y)`` in pixels; the object must lie inside the image.
        radius: Half the extent, in pixels.
        angle: Rotation in radians.

    Returns:
        The piece, not yet shaded.
    """
    half = int(np.ceil(REACH * radius)) + 6
    origin = np.floor(centre).astype(int) - half
    side = 2 * half + 1
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = _OUTLINES[shape] @ rotation.T * radius + (centre - origin)
    # OpenCV puts integer coordinates on pixel centres; `shift` 4 means sixteenths of a pixel.
    fixed_point = np.round((corners * _SUPERSAMPLING - 0.5) * 16).astype(np.int32)
    fine = np.zeros((side * _SUPERSAMPLING, ) * 2, np.uint8)
    cv2.fillPoly(fine, [fixed_point], 255, lineType=cv2.LINE_8, shift=4)
    coverage = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
    top, left = int(origin[1]) + _BORDER, int(origin[0]) + _BORDER
    return Piece(
        colour=colour,
        rows=slice(top, top + side),
        columns=slice(left, left + side),
        fine=fine,
        coverage=coverage.astype(np.float32) / 255,
        solid=coverage >= 128)


def find_owners(pieces: Sequence[Piece], width: int, height: int) -> np.ndarray:
    """Tell which piece is seen at each pixel when they are drawn in order.

    Args:
        pieces: Pieces in drawing order, fewer than 256.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        ``(height, width)`` uint8: 0 on the ground, else the piece's number counted from 1.
    """
    owners = np.zeros((height + 2 * _BORDER, width + 2 * _BORDER), np.uint8)
    for number, piece in enumerate(pieces, start=1):
        owners[piece.rows, piece.columns][piece.solid] = number
    return owners[_BORDER:_BORDER + height, _BORDER:_BORDER + width]


def render(generator: np.random.Generator, pieces: Sequence[Piece], width: int,
           height: int) -> np.ndarray:
    """Draw the pieces in order on a random ground.

    Args:
        generator: Draws the ground and the jitter of the colours.
        pieces: Pieces in drawing order.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        ``(height, width, 3)`` uint8, RGB.
    """
    canvas = _ground(generator, width + 2 * _BORDER, height + 2 * _BORDER)
    for piece in pieces:
        _draw_piece(generator, canvas, piece)
    canvas = canvas[_BORDER:_BORDER + height, _BORDER:_BORDER + width]
    return np.clip(np.round(canvas), 0, 255).astype(np.uint8)


def _draw_piece(generator: np.random.Generator, canvas: np.ndarray, piece: Piece) -> None:
    """Draw a soft shadow, then the shaded and outlined object, onto the canvas in place."""
    patch = canvas[piece.rows, piece.columns]
    side = len(piece.coverage)
    shadow = cv2.GaussianBlur(np.roll(piece.coverage, (3, 2), axis=(0, 1)), (0, 0), 2)
    patch *= 1 - 0.32 * shadow[..., None]
    # Light falls from the top left.
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    brightness = 1.03 - 0.10 * (ramp[:, None] + 0.6 * ramp[None, :])
    depth = cv2.distanceTransform(piece.fine, cv2.DIST_L2, cv2.DIST_MASK_3)
    depth = cv2.resize(depth, (side, side), interpolation=cv2.INTER_AREA)
    edge = np.clip(1 - depth / (1.6 * _SUPERSAMPLING), 0, 1)
    colour = _jitter(generator, COLOUR_RGB[piece.colour])
    layer = (brightness * (1 - 0.45 * edge))[..., None] * colour
    patch += piece.coverage[..., None] * (layer - patch)


def _jitter(generator: np.random.Generator, colour: Tuple[int, int, int]) -> np.ndarray:
    hue, saturation, value = cv2.cvtColor(
        np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2HSV)[0, 0].tolist()
    hue = (hue + generator.uniform(-4, 4)) % 360
    saturation = min(max(saturation + generator.uniform(-.06, .04), 0), 1)
    value = min(max(value + generator.uniform(-.05, .04), 0), 1)
    moved = np.array([[[hue, saturation, value]]], np.float32)
    return cv2.cvtColor(moved, cv2.COLOR_HSV2RGB)[0, 0] * 255


def _ground(generator: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Make a greyish textured ground (height, width, 3), float32 in 0..255."""
    first, second = (generator.uniform(115, 215) + generator.uniform(-11, 11, 3) for _ in range(2))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    direction = generator.uniform(0, 2 * np.pi)
    along = x * float(np.cos(direction)) + y * float(np.sin(direction))
    kind = ('gradient', 'clouds', 'stripes', 'blotches')[generator.integers(4)]
    if kind == 'gradient':
        mix = 0.5 + 0.36 * along
    elif kind == 'clouds':
        mix = 0.7 * _smooth_noise(generator, width, height, 5)
        mix += 0.3 * _smooth_noise(generator, width, height, 18)
    elif kind == 'stripes':
        wave = np.sin(along * generator.uniform(9, 24) + generator.uniform(0, 6))
        mix = 0.5 + 0.22 * np.tanh(2.5 * wave) + 0.12 * y
    else:
        mix = 0.5 + 0.4 * np.tanh(9 * (_smooth_noise(generator, width, height, 7) - 0.5))
    mix = np.clip(mix, 0, 1)[..., None]
    grain = generator.standard_normal((height, width, 1), dtype=np.float32)
    grain *= generator.uniform(1, 5)
    first, second = first.astype(np.float32), second.astype(np.float32)
    return first + mix * (second - first) + grain


def _smooth_noise(generator: np.random.Generator, width: int, height: int,
                  cells: int) -> np.ndarray:
    return cv2.resize(
        generator.random((cells, cells), dtype=np.float32), (width, height),
        interpolation=cv2.INTER_CUBIC)
