"""A sheet of pictures with captions."""

import textwrap
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = (32, 33, 36), (110, 113, 120), (255, 255, 255)
MARGIN, GAP = 24, 10


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
    width_of_panel = len(panels[0].pictures) * (cell + GAP) - GAP
    caption_font, small_font, title_font = (ImageFont.load_default(size) for size in (16, 13, 28))
    caption_height, heading_height = 48, 22 if headings else 0
    top = MARGIN + 40 + (24 if subtitle else 0) + heading_height
    row_height = caption_height + cell + 2 * GAP
    rows = -(-len(panels) // columns)
    size = (2 * MARGIN + columns * (width_of_panel + MARGIN) - MARGIN, top + rows * row_height + MARGIN)
    sheet = Image.new('RGB', size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), title, fill=INK, font=title_font)
    draw.text((MARGIN, MARGIN + 32), subtitle, fill=FAINT, font=small_font)

    for position, panel in enumerate(panels):
        row, column = divmod(position, columns)
        x, y = MARGIN + column * (width_of_panel + MARGIN), top + row * row_height
        if row == 0:
            for place, heading in enumerate(headings):
                draw.text((x + place * (cell + GAP), y - heading_height), heading, fill=FAINT, font=small_font)
        _draw_caption(draw, panel, (x, y), width_of_panel, caption_font, small_font)
        for place, picture in enumerate(panel.pictures):
            _paste(sheet, picture, (x + place * (cell + GAP), y + caption_height), cell)
    return sheet


def _draw_caption(draw: ImageDraw.ImageDraw, panel: Panel, corner: Tuple[int, int], width: int,
                  font: ImageFont.FreeTypeFont, small_font: ImageFont.FreeTypeFont) -> None:
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


def _paste(sheet: Image.Image, picture: np.ndarray, corner: Tuple[int, int], cell: int) -> None:
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    # Centred, and close below the caption.
    sheet.paste(Image.fromarray(picture), (corner[0] + (cell - size[0]) // 2, corner[1]))
