"""Means, deviations and differences of runs; the table of them; the plot."""

import re

import numpy as np
import pytest

from mmris.evaluation.ablation import format_ablation, runs_by_skill, summarise_ablation
from mmris.evaluation.paired_tests import compare_pairs, correct_by_holm, format_pairs
from mmris.visualization.ablation_plot import draw_ablation

SCORES = {'baseline': [50.0, 52.0, 54.5], 'better': [53.0, 53.5, 58.0]}


def runs(seeds=(0, 1, 2)) -> list:
    return [
        dict(name=name, seed=seed, metrics=dict(val=dict(mIoU=SCORES[name][seed], oIoU=1.0), testA=dict(mIoU=2 * seed)))
        for name in SCORES for seed in seeds
    ]


def test_numbers():
    summary = summarise_ablation(runs(), ['mIoU'])
    assert summary['columns'] == ['val/mIoU', 'testA/mIoU'] and summary['seeds'] == [0, 1, 2]
    baseline, better = (row['val/mIoU'] for row in summary['rows'])
    assert baseline['mean'] == pytest.approx(np.mean(SCORES['baseline']))
    assert baseline['deviation'] == pytest.approx(np.std(SCORES['baseline'], ddof=1))
    assert better['values'] == {'0': 53.0, '1': 53.5, '2': 58.0}
    # Seed by seed: what both share of a seed's luck falls out.
    differences = np.subtract(SCORES['better'], SCORES['baseline'])
    assert better['difference']['mean'] == pytest.approx(differences.mean())
    assert better['difference']['deviation'] == pytest.approx(differences.std(ddof=1))


def test_table():
    table = format_ablation(summarise_ablation(runs(), ['mIoU']))
    lines = [re.sub(' +', ' ', line) for line in table.splitlines()]
    assert lines[0] == '| | val/mIoU | testA/mIoU |'
    assert lines[2] == '| baseline | 52.17 ± 2.25 | 2.00 ± 2.00 |'
    assert lines[4] == '| better - baseline | +2.67 ± 1.04 | +0.00 ± 0.00 |'


def test_one_seed_has_no_deviation():
    table = format_ablation(summarise_ablation(runs(seeds=[0]), ['mIoU']))
    assert '±' not in table and '50.00' in table


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match='better lacks seed 2, which another config has'):
        summarise_ablation(runs()[:-1], ['mIoU'])
    with pytest.raises(ValueError, match='baseline, seed 0, has no oIoU on testA. There are: mIoU.'):
        summarise_ablation(runs(), ['oIoU'])


def test_plot(tmp_path):
    figure = draw_ablation(summarise_ablation(runs(), ['mIoU']), 'a title')
    figure.savefig(tmp_path / 'plot.png')
    first = figure.axes[0]
    assert first.get_title(loc='left') == 'val, mIoU'
    assert [label.get_text() for label in first.get_yticklabels()] == list(SCORES)
    dots = sorted(value for line in first.lines if line.get_marker() == 'o' for value in line.get_xdata())
    assert dots == sorted(SCORES['baseline'] + SCORES['better'])


def test_differences_of_pairs():
    """By hand: differences 3, 1.5, 3.5, so t = (8 / 3) / (s / sqrt(3)), and with 2 degrees of freedom p is closed."""
    compared = compare_pairs(summarise_ablation(runs(), ['mIoU']), [('better', 'baseline')], 'val/mIoU')['pairs'][0]
    spread = np.std([3, 1.5, 3.5], ddof=1) / np.sqrt(3)
    t = 8 / 3 / spread
    assert compared['difference'] == pytest.approx(8 / 3)
    assert compared['p'] == pytest.approx(1 - t / np.sqrt(t**2 + 2))
    # Of Student's distribution with 2 degrees of freedom, 95 % lie within 4.3027.
    assert compared['interval'] == pytest.approx([8 / 3 - 4.30265273 * spread, 8 / 3 + 4.30265273 * spread])
    assert compared['p_corrected'] == compared['p']


def test_holm():
    """The procedure as its paper tells it: go on while the smallest that is left is at most alpha over their number."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        values, alpha = generator.random(5)**3, generator.random()
        rejected = set()
        for place in values.argsort():
            if values[place] > alpha / (len(values) - len(rejected)):
                break
            rejected.add(int(place))
        assert {place for place, p in enumerate(correct_by_holm(values)) if p <= alpha} == rejected


def test_pairs_without_spread():
    summary = summarise_ablation(runs(), ['mIoU'])
    same, above = compare_pairs(summary, [('better', 'better'), ('better', 'baseline')], 'testA/mIoU')['pairs']
    assert (same['difference'], same['p'], above['p_corrected']) == (0, 1, 1)
    assert format_pairs(dict(column='testA/mIoU', pairs=[same])).count('+0.00 to +0.00') == 1


def test_pairs_that_cannot_be_tested():
    summary = summarise_ablation(runs(), ['mIoU'])
    with pytest.raises(ValueError, match='A pair names worse, but the configs are baseline, better.'):
        compare_pairs(summary, [('worse', 'baseline')], 'val/mIoU')
    with pytest.raises(ValueError, match='tested on val/oIoU, but the columns are val/mIoU, testA/mIoU.'):
        compare_pairs(summary, [('better', 'baseline')], 'val/oIoU')
    with pytest.raises(ValueError, match='takes two seeds or more, but there is one'):
        compare_pairs(summarise_ablation(runs([0]), ['mIoU']), [('better', 'baseline')], 'val/mIoU')


def test_skills():
    """Skills stand where splits do."""
    tagged = [dict(run, metrics=dict(val=dict(mIoU=1.0, skill=dict(colour=run['metrics']['val'])))) for run in runs()]
    summary = summarise_ablation(runs_by_skill(tagged, 'val'), ['mIoU'])
    assert summary['columns'] == ['colour/mIoU']
    assert [row['colour/mIoU']['values']['2'] for row in summary['rows']] == [54.5, 58.0]
    assert runs_by_skill([tagged[0], *runs()[1:]], 'val') == [], 'one run was not scored by skill'
