"""Plots of where a model fails."""

import numpy as np
import pytest
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
