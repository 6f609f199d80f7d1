"""Plots of where a model fails."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from mmris.evaluation.error_analysis import analyse
from mmris.visualization.error_plots import draw_errors
from mmris.visualization.plots import save_figure
from tests.evaluation.test_error_analysis import random_rows, row


@pytest.mark.parametrize('rows, plots', [
    (dict(val=random_rows(), testA=random_rows(7, seed=1)), 8),
    (dict(val=[row(5, 9, 2)]), 3),
    (dict(val=[row(5, 0, 0, text=''), row(0, 0, 0, text='')]), 3),
])
def test_plots_of_many_and_of_few(tmp_path, rows, plots):
    figure = draw_errors(rows, {split: analyse(members) for split, members in rows.items()})
    assert len(figure.axes) == plots
    texts = [text.get_text() for text in figure.texts]
    assert any(text.startswith(f'val: {len(rows["val"])} expressions') for text in texts)
    save_figure(figure, tmp_path / 'report.png')
    picture = np.asarray(Image.open(tmp_path / 'report.png').convert('RGB'))
    assert min(picture.shape[:2]) > 500 and picture.std() > 10


@pytest.mark.parametrize('skills', [(), ('colour', 'near miss', 'place', 'relation', 'several', 'shape', 'size')])
def test_a_line_of_all_outcomes_is_inside(skills):
    every = [row(100, 100, 80), row(100, 100, 60), row(100, 100, 0), row(0, 100, 0), row(100, 0, 0), row(0, 0, 0),
             row(100, 100, 100, rejected=True)]
    rows = dict(val=[dict(one, skills=list(skills)) for one in every])
    figure = draw_errors(rows, {split: analyse(members) for split, members in rows.items()})
    canvas = FigureCanvasAgg(figure)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.texts if text.get_text().endswith('%')]
    assert len(boxes) == len(every) and max(box.x1 for box in boxes) <= figure.bbox.x1
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))
