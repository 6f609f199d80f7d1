"""A sheet of pictures with captions."""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .drawing import overlay_masks
from .lettering import measure, wrap, write

INK, FAINT, PAPER = (32, 33, 36), (110, 113, 120), (255, 255, 255)
MARGIN, GAP = 24, 10
TITLE_SIZE, TEXT_SIZE, NOTE_SIZE, SQUARE = 24, 14, 12, 18
# Of a caption of one line, of each line more, and of headings.
CAPTION_HEIGHT, LINE_HEIGHT, HEADING_HEIGHT = 28, 20, 22
# Of a line of a caption, however long its note is.
_LEAST_LETTERS = 8
# Of the files that sheets are saved to.
SHEET_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.bmp', '.gif', '.pdf')


@dataclass(frozen=True)
class Panel:
    """One entry of a sheet: pictures side by side below a caption.

    Attributes:
        caption (str): Text above the pictures, of any language; wrapped.
        pictures (list[ndarray]): ``(H, W, 3)`` uint8 RGB, scaled to fit their cells.
        note (str): Small text at the right of the caption. Defaults to ''.
        colour (tuple[int, int, int], optional): Of a square before the caption. Defaults to None: no square.
    """

    caption: str
    pictures: List[np.ndarray]
    note: str = ''
    colour: Optional[Tuple[int, int, int]] = None


def instances_panel(image: np.ndarray, masks: np.ndarray) -> Panel:
    """What a segmenter found on an image: all in one picture, each in a colour of its own.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        masks (ndarray): ``(K, H, W)`` bool or uint8, not 0 inside of an instance; K may be 0.

    Returns:
        Panel: One picture below their number.

    Raises:
        ValueError: If image and masks differ in size.
    """
    return Panel(caption=f'instance masks: {len(masks)}', pictures=[overlay_masks(image, masks != 0)])


def draw_sheet(panels: Sequence[Panel], *, title: str, subtitle: str = '', headings: Sequence[str] = (),
               columns: int = 3, cell: int = 200, caption_lines: Optional[int] = 2) -> Image.Image:
    """Draw a sheet.

    All texts may be of any language: fonts of the system have what DejaVu Sans lacks. Where none does, a message says
    which font to install. Line breaks and control characters are drawn as spaces.

    Args:
        panels (Sequence[Panel]): From left to right, then down. All have as many pictures.
        title (str): Large text at the top.
        subtitle (str): Smaller text below it. Defaults to ''.
        headings (Sequence[str]): Above the pictures of the first row's panels. Defaults to none.
        columns (int): Panels a row. Defaults to 3.
        cell (int): Width and height of a picture's cell in pixels. Defaults to 200.
        caption_lines (int, optional): Lines after which a caption is cut. None: as many as it needs. Defaults to 2.

    Returns:
        Image: RGB, wide enough for title and subtitle; save it to a path that ends with one of ``SHEET_SUFFIXES``.

    Raises:
        ValueError: If there is no panel.
    """
    if not panels:
        raise ValueError('A sheet needs at least one panel.')
    columns = min(columns, len(panels))
    rows = [panels[start:start + columns] for start in range(0, len(panels), columns)]
    panel_width = len(panels[0].pictures) * (cell + GAP) - GAP
    heights = [max(_fit(picture, cell)[1] for panel in row for picture in panel.pictures) for row in rows]
    lines = [[_wrap(panel, panel_width, caption_lines) for panel in row] for row in rows]
    captions = [CAPTION_HEIGHT + LINE_HEIGHT * (max(1, *map(len, row)) - 1) for row in lines]
    top = MARGIN + 40 + (24 if subtitle else 0) + (HEADING_HEIGHT if headings else 0)
    bottom = top + sum(captions) + sum(height + 2 * GAP for height in heights)
    text_width = math.ceil(max(measure(title, TITLE_SIZE), measure(subtitle, NOTE_SIZE)))
    width = max(columns * (panel_width + MARGIN), text_width + MARGIN)
    sheet = Image.new('RGB', (MARGIN + width, bottom + MARGIN), PAPER)
    write(sheet, (MARGIN, MARGIN - 6), title, TITLE_SIZE, INK)
    write(sheet, (MARGIN, MARGIN + 32), subtitle, NOTE_SIZE, FAINT)

    y = top
    for row, texts, height, caption in zip(rows, lines, heights, captions):
        for column, (panel, text) in enumerate(zip(row, texts)):
            corner = (MARGIN + column * (panel_width + MARGIN), y)
            _draw_caption(sheet, panel, text, corner, panel_width)
            _draw_pictures(sheet, panel, corner, cell, caption, headings if y == top else ())
        y += caption + height + 2 * GAP
    return sheet


def _draw_pictures(sheet: Image.Image, panel: Panel, corner: Tuple[int, int], cell: int, caption: int,
                   headings: Sequence[str]) -> None:
    """Draw a panel's pictures below its caption, of a height in pixels, and headings above it."""
    x, y = corner
    for place, heading in enumerate(headings):
        write(sheet, (x + place * (cell + GAP), y - HEADING_HEIGHT), heading, NOTE_SIZE, FAINT)
    for place, picture in enumerate(panel.pictures):
        width, height = _fit(picture, cell)
        shrinks = width < picture.shape[1]
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        left = x + place * (cell + GAP) + (cell - width) // 2
        sheet.paste(Image.fromarray(scaled), (left, y + caption))


def _draw_caption(sheet: Image.Image, panel: Panel, lines: Sequence[str], corner: Tuple[int, int], width: int) -> None:
    """Draw lines, the square before them, and the note at their right."""
    x, y = corner
    write(sheet, (x + width - measure(panel.note, NOTE_SIZE), y + 2), panel.note, NOTE_SIZE, FAINT)
    if panel.colour is not None:
        ImageDraw.Draw(sheet).rectangle((x, y + 3, x + 12, y + 15), fill=panel.colour)
        x += SQUARE
    for place, line in enumerate(lines):
        write(sheet, (x, y + place * LINE_HEIGHT), line, TEXT_SIZE, INK)


def _wrap(panel: Panel, width: int, most: Optional[int]) -> List[str]:
    """The lines of a panel's caption, beside its note and square; no more than so many."""
    room = width - measure(panel.note, NOTE_SIZE) - GAP - SQUARE * (panel.colour is not None)
    return wrap(panel.caption, TEXT_SIZE, max(room, _LEAST_LETTERS * measure('n', TEXT_SIZE)), most)


def _fit(picture: np.ndarray, cell: int) -> Tuple[int, int]:
    """Width and height of a picture that is scaled into a cell."""
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
