"""Fonts that are installed, for tests."""

from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from mmris.visualization import fonts, lettering
from tests.visualization.made_fonts import finder_of


@pytest.fixture
def messages(monkeypatch) -> List[str]:
    """What is logged about fonts."""
    logged: List[str] = []
    for module in (fonts, lettering):
        monkeypatch.setattr(module, 'log_warning', logged.append)
    return logged


@pytest.fixture
def install(monkeypatch) -> Iterator[Callable[..., None]]:
    """Make files, at first none, all the fonts of the system beside DejaVu Sans."""

    def install(*files: Path) -> None:
        finder = finder_of(files)
        monkeypatch.setattr(lettering, 'system_fonts', lambda: finder)
        lettering._runs.cache_clear()

    install()
    yield install
    lettering._runs.cache_clear()
