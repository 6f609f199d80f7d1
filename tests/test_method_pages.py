"""The pages of the methods: all in one form, with every config, and a figure of what the config builds."""

import re
from pathlib import Path
from typing import List

import pytest
from mmengine.config import Config

from tests.conftest import ROOT, run_python

METHODS = sorted(path.parent for path in ROOT.glob('configs/*/README.md'))
SECTIONS = ['How it works', 'Train and evaluate', 'Configs', 'Weights', 'Scores', 'Deviations']
# Above it, a figure is slow to load, and has paths in place of text.
LARGEST = 60_000

each_method = pytest.mark.parametrize('folder', METHODS, ids=lambda folder: folder.name)


def read_page(folder: Path) -> str:
    return (folder / 'README.md').read_text()


def read_words(figure: Path) -> List[str]:
    """The texts of an SVG file, in its order."""
    return re.findall(r'<text[^>]*>(.*?)</text>', figure.read_text())


@each_method
def test_sections(folder):
    assert re.findall(r'^## (.*)$', read_page(folder), re.MULTILINE)[:len(SECTIONS)] == SECTIONS


@each_method
def test_every_config_is_linked(folder):
    """By the page, or by a page of a folder below that it links."""
    pages = [folder / 'README.md', *folder.glob('*/README.md'), *folder.glob('*/plan.md')]
    linked = set()
    for page in pages:
        linked.update((page.parent / link).resolve() for link in re.findall(r'\]\(([^)#]+)\)', page.read_text()))
    assert set(pages[1:]) <= linked
    assert set(folder.rglob('*.py')) - linked == set()


@each_method
def test_figure_shows_the_stages_of_its_config(folder):
    figure = folder / 'stages.svg'
    assert '](stages.svg)' in read_page(folder) and figure.stat().st_size < LARGEST
    words = read_words(figure)
    configs = re.findall(r'configs/\S+\.py', ' '.join(words))
    assert configs
    for config in configs:
        model = Config.fromfile(ROOT / config).model
        stages = [model[name] for name in ('encoder', 'neck', 'decoder', 'head') if model.get(name)]
        for stage in (*stages, *(model.get('distillation') or {}).values()):
            assert any(stage.type in text for text in words), f'{stage.type} is not in {figure}'


def test_figures_are_what_the_script_draws(tmp_path):
    """By their texts: with another version of Matplotlib, paths may differ."""
    run_python(ROOT / 'docs/figures/stages.py', '--out', tmp_path)
    for folder in METHODS:
        assert read_words(folder / 'stages.svg') == read_words(tmp_path / f'{folder.name}.svg'), (
            f'The figure of {folder.name} is out of date: run docs/figures/stages.py.')


@each_method
def test_configs_that_a_page_shows(folder, tmp_path):
    """Each can be read where the page says that it stands: beside the page."""
    for number, code in enumerate(re.findall(r'```python\n(_base_ = .*?)```', read_page(folder), re.DOTALL)):
        path = tmp_path / f'shown_{number}.py'
        path.write_text(code.replace("'../", f"'{folder.parent}/").replace("'./", f"'{folder}/"))
        assert Config.fromfile(path).model.type == 'ReferringSegmentor'
