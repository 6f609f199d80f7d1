"""Masks over images and sheets of pictures."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmris.visualization import (
    COLOURS,
    SHEET_SUFFIXES,
    Panel,
    ScoredPrediction,
    draw_prediction_sheet,
    draw_sheet,
    mean_iou,
    overlay_mask,
    overlay_masks,
    prediction_sheet,
    spotlight,
)
from mmris.visualization.plots import FIGURE_SUFFIXES, save_figure
from tests.visualization.made_fonts import make_font


@pytest.fixture
def picture():
    image = np.full((40, 60, 3), 100, dtype=np.uint8)
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:30, 20:50] = True
    return image, mask


def test_overlay_tints_the_mask_alone(picture):
    image, mask = picture
    drawn = overlay_mask(image, mask, (255, 0, 0), opacity=0.5)
    assert drawn[20, 30].tolist() == [177, 50, 50]
    assert (drawn[~mask] == 100).all() and (image == 100).all()
    assert drawn[10, 30].tolist() == [255, 0, 0], 'the outline'


def test_spotlight_fades_all_but_the_mask(picture):
    image, mask = picture
    drawn = spotlight(image, mask, (255, 0, 0), fading=0.5)
    assert drawn[20, 30].tolist() == [100, 100, 100] and (drawn[~mask] == 177).all()
    assert drawn[10, 30].tolist() == [255, 0, 0], 'the outline'


@pytest.mark.parametrize('draw', [overlay_mask, spotlight])
def test_images_of_any_layout(picture, draw):
    image, mask = picture
    transposed = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.array_equal(draw(transposed, mask, (255, 0, 0)), draw(image, mask, (255, 0, 0)))


def test_an_empty_mask_is_drawn_too(picture):
    image, mask = picture
    assert np.array_equal(overlay_mask(image, mask & False, (255, 0, 0)), image)


def test_each_of_several_has_its_colour(picture):
    image, mask = picture
    drawn = overlay_masks(image, [mask, np.roll(mask, 10, axis=0)])
    assert drawn[10, 30].tolist() == list(COLOURS[0]) and drawn[39, 30].tolist() == list(COLOURS[1])


def test_another_size(picture):
    image, mask = picture
    for draw in (overlay_mask, spotlight):
        with pytest.raises(ValueError, match=r'The mask is \(39, 60\) \(height, width\), but its image is \(40, 60\)'):
            draw(image, mask[1:], (255, 0, 0))


def test_sheet_shows_every_picture_and_wraps_long_captions():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    panels = [
        Panel(caption='a very long sentence about nothing at all ' * 5, note='50',
              pictures=[np.full((30, 60, 3), colour, dtype=np.uint8)]) for colour in colours
    ]
    sheet = np.asarray(draw_sheet(panels, title='Title', columns=2, cell=100))
    found = [np.argwhere((sheet == colour).all(axis=-1)) for colour in colours]
    assert all(len(pixels) == 100 * 50 for pixels in found)
    assert found[1][:, 1].min() > found[0][:, 1].max() and found[2][:, 0].min() > found[0][:, 0].max()
    with pytest.raises(ValueError, match='at least one panel'):
        draw_sheet([], title='Title')


def prediction(covered: int, target: int = 20) -> ScoredPrediction:
    """One that covers so many of the target's pixels and no others."""
    masks = np.zeros((2, 10, 30), dtype=bool)
    masks[0, 0, :target], masks[1, 0, :covered] = True, True
    return ScoredPrediction(text=f'{covered} of {target}', image=np.full((10, 30, 3), 90, np.uint8), target=masks[0],
                      mask=masks[1])


def test_predictions_are_scored_as_by_the_metric():
    assert prediction(5).iou == 0.25 and prediction(0, target=0).iou == 1 and prediction(0).iou == 0
    assert mean_iou([prediction(5), prediction(10)]) == 37.5


def test_sheet_of_predictions(monkeypatch):
    seen = {}
    monkeypatch.setattr(prediction_sheet, 'draw_sheet', lambda panels, **options: seen.update(options, panels=panels))
    draw_prediction_sheet([prediction(5), prediction(20)], title='Title')
    assert [(panel.caption, panel.note) for panel in seen['panels']] == [('5 of 20', '25'), ('20 of 20', '100')]
    assert all(len(panel.pictures) == len(seen['headings']) == 3 for panel in seen['panels'])
    draw_prediction_sheet([prediction(5)], title='Title', notes=['wrong object'])
    assert seen['panels'][0].note == 'wrong object'


def test_rows_of_short_captions_are_lower():
    picture = np.full((50, 50, 3), 90, dtype=np.uint8)
    short, long = (Panel(caption=text, pictures=[picture]) for text in ('short', 'as long as two lines are ' * 3))
    heights = [draw_sheet(panels, title='Title', cell=100).height for panels in ([short], [long], [short, long])]
    assert heights[0] < heights[1] == heights[2]


def sheet_of(caption: str, **options) -> np.ndarray:
    """A sheet of one black picture."""
    panel = Panel(caption=caption, pictures=[np.zeros((50, 50, 3), dtype=np.uint8)])
    return np.asarray(draw_sheet([panel], title='Title', cell=100, **options))


@pytest.mark.parametrize('letters', ['éüÅ', 'łńş', 'αβγ', 'жщю'])
def test_letters_beyond_ascii(letters):
    """Each its own picture: what a font lacks is drawn as the same box."""
    drawn = [sheet_of(letter) for letter in letters]
    assert not any(np.array_equal(drawn[place], drawn[place - 1]) for place in range(3))
    assert (sheet_of('e') != sheet_of('é')).any(axis=2).sum() < 20, 'an accent more'


def columns_of(sheet: np.ndarray) -> np.ndarray:
    """Where the lines of the caption of :func:`sheet_of` have ink."""
    first = np.flatnonzero((sheet == 0).all(axis=2).sum(axis=1) == 100)[0]
    return np.flatnonzero((sheet[60:first] < 255).any(axis=(0, 2)))


@pytest.mark.parametrize('caption', ['红色的圆形在左边的大圆形旁边不是绿色的', 'วงกลมสีแดงทางซ้ายของวงกลมสีเขียวขนาดใหญ่',
                                     'W' * 30, 'WWW ' * 8])
@pytest.mark.parametrize('lines', [2, None])
@pytest.mark.usefixtures('install', 'messages')
def test_captions_of_wide_letters_or_without_spaces_stay_above_their_picture(caption, lines):
    columns = columns_of(sheet_of(caption, caption_lines=lines))
    assert 24 <= columns.min() and columns.max() < 24 + 100


def test_captions_in_fonts_of_the_system(tmp_path, install, messages):
    boxes = sheet_of('红色 red')
    assert np.array_equal(sheet_of('左边 red'), boxes) and len(messages) == 1
    install(make_font(tmp_path / 'Made.ttf', '红色'))
    bars = sheet_of('红色 red')
    assert not np.array_equal(bars, boxes) and np.array_equal(sheet_of('色红 red'), bars) and len(messages) == 1


@pytest.mark.parametrize('text', ['two\nlines', 'two\r\nlines', 'two\u2028lines', 'two\tlines', 'two\x85lines'])
def test_line_breaks_in_captions_are_spaces(text):
    one, other = (draw_sheet([Panel(words, [np.zeros((9, 9, 3), np.uint8)], note=words)], title=words, subtitle=words)
                  for words in (text, 'two lines'))
    assert one == other


def test_captions_of_half_characters():
    assert np.array_equal(sheet_of('half \ud83d'), sheet_of('half \ufffd'))


def test_captions_of_as_many_lines_as_needed():
    words = 'eight le ' * 6
    heights = [sheet_of(words, caption_lines=lines).shape[0] for lines in (1, 2, None)]
    assert np.diff(heights).tolist() == [20, 80]
    sheet = sheet_of(words, caption_lines=None)
    picture = np.flatnonzero((sheet == 0).all(axis=2).sum(axis=1) == 100)
    inked = (sheet[60:picture[0]] < 255).any(axis=(1, 2))
    assert len(picture) == 100 and np.count_nonzero(np.diff(inked.astype(int)) == 1) == 6, 'each line above the picture'


def test_a_sheet_is_as_wide_as_its_subtitle():
    subtitle = 'as long as a sentence about the whole sheet, of which there is one ' * 2
    narrow, wide = sheet_of('a'), sheet_of('a', subtitle=subtitle)
    assert narrow.shape[1] == 24 + 100 + 24 and wide.shape[1] > 600
    ink = np.flatnonzero((wide[60:75] < 255).any(axis=(0, 2)))
    assert ink.max() < wide.shape[1] - 20


def test_what_pictures_may_be_called(tmp_path):
    for suffix in (*SHEET_SUFFIXES, '.PNG'):
        Image.fromarray(sheet_of('a')).save(tmp_path / f'sheet{suffix}')
    for suffix in (*FIGURE_SUFFIXES, '.PNG'):
        save_figure(Figure(), tmp_path / f'figure{suffix}')
    assert all(path.stat().st_size > 100 for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == len(SHEET_SUFFIXES) + len(FIGURE_SUFFIXES) + 2
