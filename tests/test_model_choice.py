"""The tables of docs/model_choice.md: costs against the configs, scores against the READMEs they are from."""

import re
from pathlib import Path
from typing import List

import pytest
import torch

from mmris.datasets.pipelines import resolve_pipelines
from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.input_sizes import read_input_sizes
from mmris.utils.resources import read_named_config
from tests.conftest import ROOT

PAGE = ROOT / 'docs' / 'model_choice.md'


def read_rows(heading: str) -> List[List[str]]:
    """The rows below a heading whose first cell links a config: its path, then the other cells."""
    section = PAGE.read_text().partition(f'\n## {heading}\n')[2].partition('\n## ')[0]
    found = re.findall(r'^\| \[[^]]+\]\(\.\./(configs/[^)]+\.py)\)[^|]*\|(.*)\|$', section, re.MULTILINE)
    return [[path, *(cell.strip() for cell in rest.split('|'))] for path, rest in found]


COSTS, SHAPEREF = read_rows('All methods'), read_rows('On ShapeRef')


def test_all_methods_are_there():
    folders = {path.parent.name for path in ROOT.glob('configs/*/metafile.yaml')}
    assert {Path(row[0]).parent.name for row in COSTS} == folders
    assert {Path(row[0]).parent.name for row in SHAPEREF} == folders - {'maskris'}


@pytest.mark.parametrize('row', [*COSTS, *SHAPEREF], ids=lambda row: row[0])
def test_scores_stand_in_the_readme(row):
    scores = row[6:] if row in COSTS else row[3:5]
    readme = (ROOT / row[0]).with_name('README.md').read_text()
    for number in re.findall(r'\d+\.\d+', ' '.join(scores)):
        assert re.search(rf'(?<![\d.]){re.escape(number)}(?!\d)', readme), f'{number} is not in the README'


@pytest.mark.slow
@pytest.mark.parametrize('row', COSTS, ids=lambda row: row[0])
def test_costs_are_those_of_the_config(row):
    config = read_named_config(str(ROOT / row[0]))
    resolve_pipelines(config)
    sizes = read_input_sizes(config)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    total = count_complexity(model, **vars(sizes))['total']
    counted = (total['params'] / 1e6, total['trained'] / 1e6, total['image']['flops'] / 1e9,
               total['sentence']['flops'] / 1e9)
    assert row[1] == str(max(sizes.shape)) and row[2:6] == [f'{value:.1f}' for value in counted]
