"""Curves of trainings."""

import numpy as np
import pytest
from PIL import Image

from mmris.utils.training_log import TrainingLog
from mmris.visualization.curves import draw_curves, logged_keys, running_mean
from mmris.visualization.plots import save_figure, spread


def log(number: int = 60, **changes) -> TrainingLog:
    """Falling losses, with what `changes` adds to every row."""
    training = [
        dict(iter=10 * place, loss=2 / place, loss_bce=1 / place, lr=1e-3, time=0.5, **changes)
        for place in range(1, number + 1)
    ]
    validation = [{'iter': 10 * place, 'mIoU': 5.0 * place, 'Pr@0.5': place, 'expressions': 4} for place in (2, 5)]
    return TrainingLog(training=training, validation=validation)


def pixels(figure, path) -> np.ndarray:
    """The picture, as it is saved."""
    save_figure(figure, path)
    return np.asarray(Image.open(path).convert('RGB'))


def test_running_mean_is_that_of_the_definition():
    values = np.random.default_rng(0).normal(size=50)
    values[[7, 8, 9, 30]] = np.nan, np.nan, np.nan, np.inf
    for window in (1, 3, 11):
        slow = []
        for place in range(len(values)):
            reach = min(window // 2, place, len(values) - 1 - place)
            near = values[place - reach:place + reach + 1]
            near = near[np.isfinite(near)]
            slow.append(near.mean() if len(near) else np.nan)
        np.testing.assert_allclose(running_mean(values, window), slow, atol=1e-12)


def test_labels_are_moved_apart_in_order():
    generator = np.random.default_rng(0)
    for count in (1, 2, 9):
        positions = generator.uniform(0, 1, count)
        placed = spread(positions, 0.08)
        order = np.argsort(positions)
        assert (np.diff(placed[order]) >= 0.08 - 1e-9).all() and placed.max() <= 1
    assert spread([0.1, 0.5, 0.9], 0.1).tolist() == [0.1, 0.5, 0.9]


def test_one_run_shows_losses_metrics_and_rate(tmp_path):
    figure = draw_curves(dict(run=log()))
    assert [axes.get_title(loc='left') for axes in figure.axes] == ['Losses', 'Validation', 'Learning rate']
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {'mIoU 25.0', 'Pr@0.5 5.0', 'lr 0.001'} <= texts and any(text.startswith('loss_bce 0.01') for text in texts)
    picture = pixels(figure, tmp_path / 'curves.png')
    assert picture.shape[0] > 800 and picture.std() > 10


def test_the_share_of_the_target_has_a_panel_with_chance_as_reference(tmp_path):
    figure = draw_curves(dict(run=log(target_share_lmvsd=0.21, chance_lmvsd=0.5, target_share_other=0.9)))
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert titles == ['Losses', 'Validation', "Share of the target's patches that a branch selected", 'Learning rate']
    axes = figure.axes[2]
    assert axes.get_ylim() == (0, 1.03)
    assert {text.get_text() for text in axes.texts} == {'lmvsd 0.21', 'lmvsd, chance 0.5', 'other 0.9'}
    dashed, = (line for line in axes.lines if line.get_linestyle() == '--')
    assert set(dashed.get_ydata()) == {0.5}
    assert pixels(figure, tmp_path / 'curves.png').std() > 10


def test_several_runs_are_drawn_over_one_another(tmp_path):
    figure = draw_curves({f'run {place}': log(10 + place) for place in range(8)})
    assert [axes.get_title(loc='left') for axes in figure.axes] == ['loss', 'mIoU', 'Pr@0.5']
    curves = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 2]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == len(curves) == 8
    assert [text.get_text() for text in figure.legends[0].texts] == [f'run {place}' for place in range(8)]
    assert pixels(figure, tmp_path / 'curves.png').std() > 10


def test_chosen_keys(tmp_path):
    figure = draw_curves(dict(one=log(), other=log(grad_norm=3.0)), ['grad_norm', 'mIoU'])
    assert [axes.get_title(loc='left') for axes in figure.axes] == ['grad_norm', 'mIoU']
    with pytest.raises(ValueError, match='No run logged loss_dice, x. Logged: loss, loss_bce, lr, time, mIoU, Pr@0.5'):
        draw_curves(dict(one=log()), ['loss_dice', 'x'])
    assert 'iter' not in logged_keys(dict(one=log()))


def test_what_is_not_finite_or_not_there_is_left_out(tmp_path):
    broken = log()
    for row in broken.training[5:]:
        row['loss'] = float('nan')
    assert pixels(draw_curves(dict(run=broken)), tmp_path / 'broken.png').std() > 10
    first = TrainingLog(training=[dict(iter=10, loss=-1.0)])
    assert pixels(draw_curves(dict(run=first)), tmp_path / 'first.png').std() > 5
    with pytest.raises(ValueError, match='run logged no loss, metric or learning rate yet'):
        draw_curves(dict(run=TrainingLog()))
    with pytest.raises(ValueError, match='There is no run to draw'):
        draw_curves({})
