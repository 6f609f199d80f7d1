"""What the table says of each row."""

import re

import pytest

from mmris.checkpoints import PUBLISHED
from mmris.commands.models import summarise
from mmris.utils.resources import RESOURCES
from mmris.zoo import MODEL, MODELS, TOWERS, HubFile, OtherFile, get_model
from mmris.zoo.models import NO, PARTLY, UNKNOWN, YES
from tests.conftest import ROOT


@pytest.mark.parametrize('row', MODELS, ids=lambda row: row.name)
class TestRow:

    def test_its_config_is_there(self, row):
        path = RESOURCES / 'configs' / row.config.removeprefix('mmris::')
        if row.name == 'cm-masksd-shaperef' and not path.is_file():
            pytest.skip(f'{path} is not there yet')
        assert path.is_file()

    def test_its_words(self, row):
        assert row.kind in (MODEL, TOWERS) and row.test_images in (YES, NO, PARTLY, UNKNOWN)
        assert re.fullmatch('[a-z0-9-]+', row.name) and row.licence and row.trained_on and row.link
        assert row.published is None or row.published in PUBLISHED

    def test_its_files(self, row):
        for file in filter(None, (row.weights, row.vocabulary)):
            assert file.size is None or file.size > 0
            assert file.sha256 is None or re.fullmatch('[0-9a-f]{64}', file.sha256)
            assert isinstance(file, HubFile) or '://' in file.place or file.path.endswith('.safetensors')
            # A hash belongs to one state of a repository.
            assert not isinstance(file, HubFile) or file.sha256 is None or re.fullmatch('[0-9a-f]{40}', file.revision)
            assert not isinstance(file, OtherFile) or file.address.startswith('https://')

    def test_it_can_be_used(self, row):
        """Towers say what they are towers of, and a model without weights says which towers it needs."""
        if row.kind == TOWERS:
            assert row.published is not None and row.weights is not None
        elif row.weights is None:
            assert get_model(row.towers).kind == TOWERS


def test_names_are_unique():
    assert len({row.name for row in MODELS}) == len(MODELS)


def test_scores_say_whose_they_are():
    shown = [str(score) for row in MODELS for score in row.scores]
    assert 'mIoU 23.86 on RefCOCOg (umd) test (published)' in shown
    assert all(text.endswith(('(ours)', '(published)')) for text in shown)


def test_the_page_shows_the_table():
    """Each cell of `mmris models`, whose widths Markdown does not need."""
    shown = [line.strip('| ').split(' | ') for line in (ROOT / 'docs/zoo.md').read_text().splitlines()]
    for row in MODELS:
        assert list(summarise(row)) in shown
