"""Pictures of where a model looks."""

import numpy as np
import pytest

from mmris.visualization.panels import Panel, draw_panels, overlay_heatmap


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.full((height, width, 3), (200, 100, 0), dtype=np.uint8)


def test_heat_over_an_image():
    image, heat = picture(), np.zeros((40, 60), dtype=np.float32)
    heat[10, 20], heat[30, 40] = 1, 0.5
    drawn = overlay_heatmap(image, heat)
    assert drawn.dtype == np.uint8 and (image == picture()).all()
    cold = drawn[0, 0]
    assert (drawn[heat == 0] == cold).all()
    # Without heat its own colour, darker; with it brighter, the more the hotter.
    assert cold[0] > cold[1] > cold[2] and cold.sum() < image[0, 0].sum() / 2
    assert cold.sum() < drawn[30, 40].sum() < drawn[10, 20].sum()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r'heat is \(3, 4\) \(height, width\), but its image is \(40, 60\)'):
        overlay_heatmap(picture(), np.zeros((3, 4)))


def test_large_pictures_are_drawn_from_a_smaller_copy():
    large = picture(1000, 2000)
    assert Panel('Image', '', large).picture.shape == (250, 500, 3) and large.shape == (1000, 2000, 3)
    small = picture()
    assert Panel('Image', '', small).picture is small


def test_panels_share_headings():
    panels = [
        Panel('Image', '', picture()),
        Panel('Encoder', 'a', picture(), 'layer 1', '10%'),
        Panel('Encoder', 'a', picture(), 'layer 2', '20%'),
        Panel('Encoder', 'b', picture(), 'joint', '30%')
    ]
    figure = draw_panels([('one', panels), ('other ' * 40, panels)], title='Title', subtitle='word ' * 40)
    texts = [text.get_text() for text in figure.texts]
    for text, count in dict(Image=1, Encoder=2, a=1, b=1, one=1, Title=1).items():
        assert texts.count(text) == count, text
    assert any(text.startswith('other other') and text.endswith('...') for text in texts)
    assert texts.count('layer 2') == texts.count('20%') == 2 and len(figure.axes) == 8
    figure.draw_without_rendering()
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width, text.get_text()
    boxes = [axes.get_position() for axes in figure.axes]
    shapes = {(round(box.width * figure.get_figwidth(), 4), round(box.height * figure.get_figheight(), 4))
              for box in boxes}
    assert shapes == {(1.5, 1.0)}
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])


@pytest.mark.parametrize('rows', [[], [('one', [])]])
def test_nothing_to_draw(rows):
    with pytest.raises(ValueError, match='at least one row, and panels in each'):
        draw_panels(rows, title='Title')
