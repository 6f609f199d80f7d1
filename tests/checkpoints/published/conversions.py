"""The command that converts weights, run in the process of a test."""

import runpy
import sys
from typing import Callable

import pytest

from tests.conftest import ROOT

TOOL = ROOT / 'tools' / 'model_converters' / 'convert_weights.py'


def converter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, model: str) -> Callable[..., str]:
    """Run the tool for a model; what it prints."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), model, *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')
        return capsys.readouterr().out

    return run
