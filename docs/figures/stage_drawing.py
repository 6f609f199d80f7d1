"""Block diagrams as SVG: boxes on rows and columns, and arrows between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon
from matplotlib.textpath import text_to_path

# All in pixels. A page shows the picture at 800 pixels or less.
WIDTH, MARGIN, COLUMNS = 800, 22, 12
TEXT, SMALL, LINE, PADDING = 13, 12, 17, 8
GROUP_TITLE, GROUP_PADDING = 20, 10

CARD, CARD_EDGE, INK, FAINT, LINE_COLOUR = '#fbfcfd', '#cfd6de', '#1c2430', '#55606e', '#5c6773'
# Fill and edge by what a box works on.
COLOURS = dict(
    data=('#eef1f4', '#9aa5b1'),
    image=('#dcebfb', '#3f7cbf'),
    text=('#ddf2e3', '#3d8f5c'),
    joint=('#e9e2f8', '#7b58b8'),
    mask=('#fdebcf', '#c07f24'),
    training=('#fbe1e4', '#bd4c61'))
# The first is always there, and wide: what fits in it fits in the others.
MEASURED = 'DejaVu Sans'
SETTINGS = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'mmris',
    'font.family': ['sans-serif'],
    'font.sans-serif': ['Segoe UI', 'Helvetica Neue', 'Arial', MEASURED],
    'hatch.linewidth': 0.7,
}


@dataclass(frozen=True)
class Box:
    """A stage.

    Attributes:
        row (int): Where it stands, from the top.
        columns (tuple[float, float]): From which to which of the 12 columns.
        kind (str): A name of :data:`COLOURS`.
        title (str): Its first line.
        lines (tuple[str]): The lines below.
        note (str): At the right of the title.
        frozen (bool): Whether it is hatched.
        dashed (bool): Whether its edge is dashed: in training only.
    """

    row: int
    columns: Tuple[float, float]
    kind: str
    title: str
    lines: Tuple[str, ...] = ()
    note: str = ''
    frozen: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Arrow:
    """What goes from a box to another.

    Between boxes of one row it is horizontal. Else it leaves the first at its bottom, goes down at ``column``, and
    where the second is not below, turns into its side.

    Attributes:
        source (str): Name of a box.
        target (str): Name of a box in the same row or below; above, if the arrow goes up.
        label (str): What goes there.
        column (float, optional): Where it goes up or down. Default: the middle of what both boxes share.
        dashed (bool): In training only.
        both (bool): Has a head at each end.
    """

    source: str
    target: str
    label: str = ''
    column: Optional[float] = None
    dashed: bool = False
    both: bool = False


@dataclass(frozen=True)
class Group:
    """A frame around boxes.

    Attributes:
        title (str): At its upper edge.
        members (tuple[str]): Names of boxes.
        column (float): Where the title begins.
        dashed (bool): In training only.
    """

    title: str
    members: Tuple[str, ...]
    column: float = 0
    dashed: bool = False


@dataclass(frozen=True)
class Diagram:
    """A whole picture.

    Attributes:
        boxes (dict[str, Box]): By name.
        arrows (Sequence[Arrow]): Between them.
        groups (Sequence[Group]): Around them.
        gaps (dict[int, int]): Pixels above a row, where they are not the usual ones.
        footnote (str): Below all; what hatches and dashes mean is added to it.
    """

    boxes: Dict[str, Box]
    arrows: Sequence[Arrow]
    groups: Sequence[Group] = ()
    gaps: Optional[Dict[int, int]] = None
    footnote: str = ''


def draw_diagram(diagram: Diagram, path: Path) -> None:
    """Draw a diagram.

    Args:
        diagram (Diagram): What to draw.
        path (Path): The SVG file.

    Raises:
        ValueError: If a text is wider than its box.
    """
    with rc_context(SETTINGS):
        places, last = _place(diagram)
        footnote = _footnote(diagram)
        height = last + 22 + LINE * len(footnote)
        figure = Figure(figsize=(WIDTH / 96, height / 96), dpi=96)
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis('off')
        _rectangle(axes, (1, 1, WIDTH - 1, height - 1), CARD, CARD_EDGE, radius=12, order=0)
        for group in diagram.groups:
            _draw_group(axes, group, [places[name] for name in group.members])
        for arrow in diagram.arrows:
            _draw_arrow(axes, arrow, places[arrow.source], places[arrow.target])
        for name, box in diagram.boxes.items():
            _draw_box(axes, box, places[name])
        for number, line in enumerate(reversed(footnote)):
            _text(axes, MARGIN, height - 14 - LINE * number, line, size=SMALL, colour=FAINT)
        figure.savefig(path, format='svg', transparent=True, metadata=dict(Date=None, Creator=None))


Place = Tuple[float, float, float, float]


def _column(number: float) -> float:
    return MARGIN + number * (WIDTH - 2 * MARGIN) / COLUMNS


def _place(diagram: Diagram) -> Tuple[Dict[str, Place], float]:
    """Left, top, right and bottom of each box, and where the lowest ends."""
    boxes = diagram.boxes.values()
    rows = sorted({box.row for box in boxes})
    tops, bottom = {}, MARGIN - 4
    for row in rows:
        usual = 0 if row == rows[0] else 32
        tops[row] = bottom + (diagram.gaps or {}).get(row, usual)
        bottom = tops[row] + max(_height(box) for box in boxes if box.row == row)
    places = {}
    for name, box in diagram.boxes.items():
        left, right = (_column(column) for column in box.columns)
        highest = max(_height(one) for one in boxes if one.row == box.row)
        height = _height(box) if box.kind == 'data' else highest
        top = tops[box.row] + (highest - height) / 2
        places[name] = (left, top, right, top + height)
    last = max(place[3] for place in places.values())
    grouped = [name for group in diagram.groups for name in group.members]
    return places, last + (GROUP_PADDING if any(places[name][3] == last for name in grouped) else 0)


def _height(box: Box) -> float:
    return 2 * PADDING + LINE * (1 + len(box.lines))


def _footnote(diagram: Diagram) -> List[str]:
    """What stands below all, in one line or in two."""
    boxes = diagram.boxes.values()
    legend = ' '.join(text for text, shown in (
        ('At the right: parameters.', any(box.note for box in boxes)),
        ('Hatched: frozen.', any(box.frozen for box in boxes)),
        ('Dashed: in training only.', any(box.dashed for box in boxes)),
    ) if shown)
    together = f'{diagram.footnote} {legend}'
    return [together] if measure_text(together, SMALL) < WIDTH - 2 * MARGIN else [diagram.footnote, legend]


def _rectangle(axes: Axes, place: Place, fill: str, edge: str, *, radius: float = 6, order: float = 2,
               **options: object) -> None:
    left, top, right, bottom = place
    axes.add_patch(
        FancyBboxPatch((left, top),
                       right - left,
                       bottom - top,
                       boxstyle=f'round,pad=0,rounding_size={radius}',
                       facecolor=fill,
                       edgecolor=edge,
                       zorder=order,
                       **{'linewidth': 1.0, **options}))


def _text(axes: Axes, x: float, y: float, text: str, *, size: float = TEXT, colour: str = INK, bold: bool = False,
          align: str = 'left', order: float = 4) -> None:
    if text:
        axes.text(x, y, text, fontsize=size * 0.75, color=colour, fontweight='bold' if bold else 'normal', ha=align,
                  va='baseline', zorder=order)


def measure_text(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in pixels, in the widest font that it may have."""
    font = FontProperties(family=MEASURED, weight='bold' if bold else 'normal', size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def _draw_box(axes: Axes, box: Box, place: Place) -> None:
    fill, edge = COLOURS[box.kind]
    left, top, right, bottom = place
    style = dict(linestyle=(0, (4, 3))) if box.dashed else {}
    _rectangle(axes, place, fill, edge, **style)
    if box.frozen:
        _rectangle(axes, place, 'none', '#c4d0dc', linewidth=0, hatch='///', order=2.5)
        _rectangle(axes, place, 'none', edge, order=3)
    room = right - left - 2 * PADDING
    rows = [(box.title, TEXT, box.kind != 'data')] + [(line, SMALL, False) for line in box.lines]
    for number, (text, size, bold) in enumerate(rows):
        taken = measure_text(text, size, bold) + (measure_text(box.note, SMALL) + PADDING if number == 0 else 0)
        if taken > room:
            raise ValueError(f'"{text}" needs {taken:.0f} of {room:.0f} pixels. Shorten it, or widen the box.')
        y = top + PADDING + LINE * (number + 0.75)
        if box.kind == 'data':
            _text(axes, (left + right) / 2, y, text, size=size, bold=bold, align='center')
        else:
            _text(axes, left + PADDING, y, text, size=size, bold=bold)
    _text(axes, right - PADDING, top + PADDING + LINE * 0.75, box.note, size=SMALL, colour=FAINT, align='right')


def _draw_group(axes: Axes, group: Group, places: List[Place]) -> None:
    place = (min(one[0] for one in places) - GROUP_PADDING, min(one[1] for one in places) - GROUP_TITLE - 4,
             max(one[2] for one in places) + GROUP_PADDING, max(one[3] for one in places) + GROUP_PADDING)
    style = dict(linestyle=(0, (4, 3))) if group.dashed else {}
    _rectangle(axes, place, '#f1f4f7', '#b3bdc8', radius=9, order=1, **style)
    _text(axes, _column(group.column), place[1] + 16, group.title, size=SMALL, colour=FAINT)


def _draw_arrow(axes: Axes, arrow: Arrow, source: Place, target: Place) -> None:
    style = dict(linestyle=(0, (4, 3))) if arrow.dashed else {}
    points = _route(arrow, source, target)
    axes.add_line(Line2D(*zip(*points), color=LINE_COLOUR, linewidth=1.2, zorder=1.5, **style))
    _draw_head(axes, points[-2], points[-1])
    if arrow.both:
        _draw_head(axes, points[1], points[0])
    if not arrow.label:
        return
    (x0, y0), (x1, y1) = points[-2:]
    if y0 == y1:
        _text(axes, (x0 + x1) / 2, y0 - 5, arrow.label, size=SMALL, colour=FAINT, align='center')
    else:
        _text(axes, x0 + 7, (y0 + y1) / 2 + 4, arrow.label, size=SMALL, colour=FAINT)


def _route(arrow: Arrow, source: Place, target: Place) -> List[Tuple[float, float]]:
    y = (source[1] + source[3]) / 2
    if y == (target[1] + target[3]) / 2:
        right = source[2] <= target[0]
        return [(source[2], y), (target[0], y)] if right else [(source[0], y), (target[2], y)]
    low, high = max(source[0], target[0]), min(source[2], target[2])
    x = _column(arrow.column) if arrow.column is not None else (low + high) / 2
    down = source[3] < target[1]
    start, end = (source[3], target[1]) if down else (source[1], target[3])
    if target[0] <= x <= target[2]:
        return [(x, start), (x, end)]
    y = (target[1] + target[3]) / 2
    return [(x, start), (x, y), (target[2] if x > target[2] else target[0], y)]


def _draw_head(axes: Axes, before: Tuple[float, float], end: Tuple[float, float]) -> None:
    length = max(abs(end[0] - before[0]), abs(end[1] - before[1]))
    along = ((end[0] - before[0]) / length, (end[1] - before[1]) / length)
    back = (end[0] - 7 * along[0], end[1] - 7 * along[1])
    sides = [(back[0] - 3.5 * sign * along[1], back[1] + 3.5 * sign * along[0]) for sign in (-1, 1)]
    axes.add_patch(Polygon([end, *sides], facecolor=LINE_COLOUR, edgecolor='none', zorder=1.6))
