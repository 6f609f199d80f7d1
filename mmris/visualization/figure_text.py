"""Text of any language in matplotlib's figures."""

import math
from typing import Tuple

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import Normal
from matplotlib.text import Text
from PIL import Image

from mmris.utils.terminal import one_line

from .fonts import Face
from .lettering import line_metrics, measure, needs_pictures, outline_faces, write


class AnyTextCanvas(FigureCanvasAgg):
    """Matplotlib's canvas of pixels, which also draws emoji in colours. Made for a figure, it is what saves it."""

    def get_renderer(self) -> RendererAgg:
        """Get what draws."""
        renderer = super().get_renderer()
        if not isinstance(renderer, _Renderer):
            self.renderer = _Renderer(renderer.width, renderer.height, renderer.dpi)
        return self.renderer


class _Renderer(RendererAgg):
    """Draws single lines of text as pictures, where matplotlib cannot."""

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: bool) -> Tuple[float, float, float]:
        if ismath or not _needs_pillow(s):
            return super().get_text_width_height_descent(s, prop, ismath)
        # As high as a line of letters, so that its baseline is where that of others is.
        _, height, descent = super().get_text_width_height_descent('lp', prop, False)
        return measure(s, self._pixels(prop)), height, descent

    def draw_text(self, gc, x: float, y: float, s: str, prop: FontProperties, angle: float, ismath: bool = False,
                  mtext: Text = None) -> None:
        if ismath or angle or not _needs_pillow(s):
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        size = self._pixels(prop)
        above, below = line_metrics(size)
        colour = tuple(round(255 * part) for part in gc.get_rgb()[:3])
        picture = Image.new('RGBA', (max(1, math.ceil(measure(s, size))), above + below), (*colour, 0))
        write(picture, (0, 0), s, size, (*colour, 255))
        # Its rows are from the bottom up, and so is where it goes.
        self.draw_image(gc, round(x), round(self.height - y - below), np.asarray(picture)[::-1].copy())

    def _pixels(self, prop: FontProperties) -> int:
        return max(1, round(self.points_to_pixels(prop.get_size_in_points())))


def prepare_texts(figure: Figure, *, in_pixels: bool) -> None:
    """Make all texts of a figure plain, and give them the fonts that have their letters.

    A dollar sign is one: no text is a formula. Control characters become spaces.

    Args:
        figure (Figure): Complete; changed.
        in_pixels (bool): Whether :class:`AnyTextCanvas` will draw it, rather than one of vector graphics, which needs
            fonts with outlines.
    """
    for text in figure.findobj(Text):
        lines = [one_line(line) for line in text.get_text().split('\n')]
        text.set_parse_math(False)
        if lines != text.get_text().split('\n'):
            text.set_text('\n'.join(lines))
        faces = [face for line in lines if not (in_pixels and _needs_pillow(line)) for face in outline_faces(line)]
        if faces:
            text.set_fontfamily([*text.get_fontfamily(), *map(_family, dict.fromkeys(faces))])
            if not in_pixels:
                # As outlines: a PDF shows the wrong letters of some fonts, and takes minutes to hold others.
                text.set_path_effects([Normal()])


def _family(face: Face) -> str:
    """What matplotlib calls a font; it is made known to matplotlib, whose list may be older than the font."""
    fonts = font_manager.fontManager
    if not any(entry.fname == face.path for entry in fonts.ttflist):
        fonts.addfont(face.path)
    entries = [entry for entry in fonts.ttflist if entry.fname == face.path]
    return next((entry for entry in entries if entry.index == face.index), entries[0]).name


def _needs_pillow(text: str) -> bool:
    return not text.isascii() and needs_pictures(text)
