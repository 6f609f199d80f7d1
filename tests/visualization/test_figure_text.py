"""Text of any language in matplotlib's figures."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmris.utils.training_log import TrainingLog
from mmris.visualization.ablation_plot import draw_ablation
from mmris.visualization.curves import draw_curves
from mmris.visualization.error_plots import draw_errors
from mmris.visualization.panels import Panel, draw_panels
from mmris.visualization.plots import save_figure, text_width, wrap_text
from tests.visualization.made_fonts import make_coloured_font, make_font

pytestmark = pytest.mark.usefixtures('install')
# Half a formula of mathematics, half a character, a character that no font draws, and lines.
HOSTILE = '$x^$ \ud83d \x00 one\ntwo\u2028three'


def figure_of(text: str, **look: object) -> Figure:
    figure = Figure(figsize=(3, 1))
    figure.text(0.1, 0.4, text, fontsize=20, **look)
    return figure


def pixels_of(figure: Figure, path) -> np.ndarray:
    save_figure(figure, path)
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def log() -> TrainingLog:
    return TrainingLog(training=[{'iter': place, 'loss': 1.0, '$_$ loss': 1.0} for place in (1, 2)])


def errors():
    rows = [dict(text='a', img_id=1, ref_id=1, sent_id=1, intersection=1, union=2, iou=0.5, predicted_pixels=1,
                 target_pixels=2, image_pixels=9, skills=[HOSTILE])]
    scores = dict(expressions=1, oIoU=50.0, mIoU=50.0, share=100.0)
    groups = dict(skill={HOSTILE: scores}, words={}, outcome={'good': scores})
    analysis = dict(groups, mean='mIoU', overall='oIoU', scores=scores)
    return draw_errors({HOSTILE: rows}, {HOSTILE: analysis})


def attention(subtitle: str = HOSTILE) -> Figure:
    panel = Panel(HOSTILE, HOSTILE, np.zeros((9, 9, 3), np.uint8), HOSTILE, HOSTILE)
    return draw_panels([(HOSTILE, [panel])], title=HOSTILE, subtitle=subtitle)


def ablation() -> Figure:
    column = dict(mean=1.0, values={0: 1.0})
    rows = [{'name': name, f'{HOSTILE}/mIoU': column} for name in (HOSTILE, 'other')]
    return draw_ablation(dict(rows=rows, columns=[f'{HOSTILE}/mIoU'], seeds=[0]), HOSTILE)


@pytest.mark.parametrize('draw', [
    errors, attention, ablation, lambda: draw_curves({HOSTILE: log()}),
    lambda: draw_curves({HOSTILE: log(), 'other': log()})])
@pytest.mark.parametrize('suffix', ['png', 'svg'])
def test_names_of_anything(draw, suffix, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        save_figure(draw(), tmp_path / f'figure.{suffix}')
    assert (tmp_path / f'figure.{suffix}').stat().st_size > 1000


def test_a_line_break_in_a_name_is_none():
    texts = [text.get_text() for figure in (attention(subtitle=''), errors()) for text in figure.texts]
    assert not any('\n' in text for text in texts) and any('one two three' in text for text in texts)
    labels = [label.get_text() for axes in errors().axes for label in axes.get_xticklabels()]
    assert any('one two three\n(1)' in label for label in labels)


def test_dollars_are_dollars(tmp_path):
    """Two of them are no formula, which would be drawn in italics."""
    assert (pixels_of(figure_of('$x$'), tmp_path / 'a.png') != pixels_of(figure_of('x'), tmp_path / 'b.png')).any()
    assert np.array_equal(
        pixels_of(figure_of('$x$ \\$'), tmp_path / 'a.png'),
        pixels_of(figure_of('$x$ \\$', parse_math=False), tmp_path / 'b.png'))


@pytest.mark.parametrize('suffix', ['png', 'svg', 'pdf', 'eps'])
def test_letters_of_fonts_of_the_system(suffix, tmp_path, install, messages):
    """Each a bar in the font; a box, and a message alone, without."""
    def save(text: str, name: str) -> bytes:
        save_figure(figure_of(text), tmp_path / f'{name}.{suffix}')
        return (tmp_path / f'{name}.{suffix}').read_bytes()

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        boxes = save('红', 'boxes')
        assert len(messages) == 1
        install(make_font(tmp_path / 'Made.ttf', '红', family='Made for figures'))
        drawn = save('红', 'drawn')
    assert len(messages) == 1 and len(drawn) > 500
    if suffix == 'png':
        bar = (pixels_of(figure_of('红'), tmp_path / 'a.png') < 128).all(axis=2)
        rows, columns = np.nonzero(bar)
        assert bar[rows.min() + 1:rows.max(), columns.min() + 1:columns.max()].all()
        assert 20 < np.ptp(rows) < 30 and 25 < np.ptp(columns) < 35
    else:
        assert drawn != boxes


def test_emoji_in_their_colours(tmp_path, install, messages):
    """Where text with them stands is where that without stands."""
    install(make_coloured_font(tmp_path / 'MadeEmoji.ttf', '🔴', (250, 10, 20)))
    drawn, plain = (pixels_of(figure_of(text, va='top'), tmp_path / 'a.png') for text in ('l🔴', 'l'))
    rows, columns = np.nonzero(np.abs(drawn - (250, 10, 20)).max(axis=2) < 8)
    assert 30 < np.ptp(rows) < 40 and 30 < np.ptp(columns) < 40 and not messages
    stem = columns.min() - 4
    ink = [np.flatnonzero((pixels[:, :stem] < 128).all(axis=2).any(axis=1)) for pixels in (drawn, plain)]
    assert abs(ink[0] - ink[1]).max() <= 1 if len(ink[0]) == len(ink[1]) else abs(len(ink[0]) - len(ink[1])) <= 2
    save_figure(figure_of('l🔴'), tmp_path / 'a.svg')
    assert messages[0].endswith('fonts-symbola')


def test_sentences_are_cut_where_their_figure_ends(tmp_path, install):
    install(make_font(tmp_path / 'Made.ttf', '红', family='Made for sentences'))
    panels = [Panel('a', '', np.zeros((9, 9, 3), np.uint8))] * 3
    for sentence in ('红' * 99, 'W' * 99, 'the red circle at the left of it ' * 9, 'الدائرة الحمراء ' * 20):
        figure = draw_panels([(sentence, panels)], title='a', subtitle=sentence)
        save_figure(figure, tmp_path / 'a.png')
        figure.draw_without_rendering()
        texts = [text for text in figure.texts if len(text.get_text()) > 9]
        assert len(texts) == 2 and any(text.get_text().endswith(' ...') for text in texts)
        for text in texts:
            box = text.get_window_extent()
            assert 0.5 * figure.bbox.width < box.x1 <= figure.bbox.width, sentence


def test_width_of_text_in_inches():
    assert 1 < text_width('n' * 10, 12) / (10 * 12 * 0.634 / 72) < 1.1
    assert wrap_text('one two', 12, 0.5) == ['one', 'two']
