"""The notebook of docs, run from its first cell to its last."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def test_every_cell_runs(tmp_path: Path, monkeypatch):
    # As in an activated environment.
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
    notebook = nbformat.read(ROOT / 'docs' / 'tutorial.ipynb', as_version=4)
    folder = dict(metadata=dict(path=str(tmp_path)))
    NotebookClient(notebook, timeout=300, kernel_name='python3', resources=folder).execute()

    outputs = [''.join(part.get('text', '') for part in cell.outputs) for cell in notebook.cells
               if cell.cell_type == 'code']
    # Commands of the shell fail without an error of the cell.
    assert not any('Traceback' in text or 'error:' in text for text in outputs), outputs
    before, after = (float(text.split('| val ')[1].split('|')[2]) for text in outputs if '| val ' in text)
    assert after > before + 10
    pictures = [part for cell in notebook.cells if cell.cell_type == 'code' for part in cell.outputs
                if 'image/png' in part.get('data', {})]
    assert len(pictures) == 4
