"""A sheet of pictures with captions."""

import textwrap
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = (32, 33, 36), (110, 113, 120), (255, 255, 255)
MARGIN, GAP = 24, 10
CAPTION_HEIGHT, HEADING_HEIGHT = 48, 22


@dataclass(frozen=True)
class Panel:
    """One entry of a sheet: pictures side by side below a caption.

    Attributes:
        caption (str): Text above the pictures; wrapped.
        pictures (list[ndarray]): ``(H, W, 3)`` uint8 RGB, scaled to fit their cells.
        note (str): Small text at the right of the caption. Defaults to ''.
        colour (tuple[int, int, int], optional): Of a square before the caption. Defaults to None: no square.
    """

    caption: str
    pictures: List[np.ndarray]
    note: str = ''
    colour: Optional[Tuple[int, int, int]] = None


def draw_sheet(panels: Sequence[Panel], *, title: str, subtitle: str = '', headings: Sequence[str] = (),
               columns: int = 3, cell: int = 200) -> Image.Image:
    """Draw a sheet.

    Args:
        panels (Sequence[Panel]): From left to right, then down. All have as many pictures.
        title (str): Large text at the top.
        subtitle (str): Smaller text below it. Defaults to ''.
        headings (Sequence[str]): Above the pictures of the first row's panels. Defaults to none.
        columns (int): Panels a row. Defaults to 3.
        cell (int): Width and height of a picture's cell in pixels. Defaults to 200.

    Returns:
        Image: RGB.

    Raises:
        ValueError: If there is no panel.
    """
    if not panels:
        raise ValueError('A sheet needs at least one panel.')
    columns = min(columns, len(panels))
    rows = [panels[start:start + columns] for start in range(0, len(panels), columns)]
    panel_width = len(panels[0].pictures) * (cell + GAP) - GAP
    heights = [max(_fit(picture, cell)[1] for panel in row for picture in panel.pictures) for row in rows]
    top = MARGIN + 40 + (24 if subtitle else 0) + (HEADING_HEIGHT if headings else 0)
    bottom = top + sum(CAPTION_HEIGHT + height + 2 * GAP for height in heights)
    sheet = Image.new('RGB', (MARGIN + columns * (panel_width + MARGIN), bottom + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), title, fill=INK, font=ImageFont.load_default(28))
    draw.text((MARGIN, MARGIN + 32), subtitle, fill=FAINT, font=ImageFont.load_default(13))

    y = top
    for row, height in zip(rows, heights):
        for column, panel in enumerate(row):
            _draw_panel(sheet, panel, (MARGIN + column * (panel_width + MARGIN), y), cell, headings if y == top else ())
        y += CAPTION_HEIGHT + height + 2 * GAP
    return sheet


def _draw_panel(sheet: Image.Image, panel: Panel, corner: Tuple[int, int], cell: int, headings: Sequence[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = corner
    for place, heading in enumerate(headings):
        position = (x + place * (cell + GAP), y - HEADING_HEIGHT)
        draw.text(position, heading, fill=FAINT, font=ImageFont.load_default(13))
    _draw_caption(draw, panel, corner, len(panel.pictures) * (cell + GAP) - GAP)
    for place, picture in enumerate(panel.pictures):
        width, height = _fit(picture, cell)
        shrinks = width < picture.shape[1]
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        left = x + place * (cell + GAP) + (cell - width) // 2
        sheet.paste(Image.fromarray(scaled), (left, y + CAPTION_HEIGHT))


def _draw_caption(draw: ImageDraw.ImageDraw, panel: Panel, corner: Tuple[int, int], width: int) -> None:
    font, small_font = ImageFont.load_default(16), ImageFont.load_default(13)
    x, y = corner
    note_width = draw.textlength(panel.note, font=small_font)
    draw.text((x + width - note_width, y + 2), panel.note, fill=FAINT, font=small_font)
    if panel.colour is not None:
        draw.rectangle((x, y + 3, x + 12, y + 15), fill=panel.colour)
        x += 18
    room = width - note_width - GAP - (x - corner[0])
    letters = max(8, int(room / draw.textlength('n', font=font)))
    lines = textwrap.wrap(panel.caption, letters, max_lines=2, placeholder=' ...')
    draw.multiline_text((x, y), '\n'.join(lines), fill=INK, font=font, spacing=3)


def _fit(picture: np.ndarray, cell: int) -> Tuple[int, int]:
    """Width and height of a picture that is scaled into a cell."""
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
