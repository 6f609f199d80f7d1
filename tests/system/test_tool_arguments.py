"""What tools tell of a command line before they work (in this process: imports take seconds)."""

import runpy
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def run(monkeypatch):
    """Run a tool of the project's folder."""

    def run_tool(name: str, *arguments: object) -> None:
        path = ROOT / 'tools' / name
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name='__main__')

    return run_tool


# Inputs that are not there, which none of these is to come to.
NOWHERE = ('none.py', 'none.pth')


@pytest.mark.parametrize('tool, given', [
    ('predict.py', (*NOWHERE, 'none.jpg', 'a')),
    ('predict_images.py', (*NOWHERE, 'none', '--sentences', 'a')),
    ('analysis_tools/error_report.py', ('none.jsonl', )),
    ('analysis_tools/run_ablation.py', ('none.py', )),
])
def test_folders_that_cannot_be_written(run, tmp_path, tool, given):
    """Told before any input is looked at."""
    (tmp_path / 'file').write_text('')
    with pytest.raises(NotADirectoryError, match='file cannot be written: .* is a file, no folder'):
        run(tool, *given, '--out', tmp_path / 'file')


@pytest.mark.parametrize('tool, given', [
    ('attention_maps.py', (*NOWHERE, 'none.jpg', 'a')),
    ('draw_predictions.py', NOWHERE),
    ('browse_dataset.py', NOWHERE[:1]),
    ('analyze_logs.py', ('none', )),
])
def test_pictures_that_cannot_be_written(run, tmp_path, tool, given):
    for name in ('noext', 'sheet.txt'):
        with pytest.raises(ValueError, match=f'{name} must end with one of .png, .jpg, .* which says what is written'):
            run(f'analysis_tools/{tool}', *given, '--out', tmp_path / name)


@pytest.mark.parametrize('tool, given', [
    ('get_flops.py', ('none.py', '--out')),
    ('filter_report.py', ('none.py', '--out')),
    ('benchmark_index.py', ('--out', )),
    ('check_dataset.py', ('--data-root', 'none', '--out')),
    ('benchmark_samples.py', ('none.py', '--out')),
    ('benchmark_steps.py', ('none.py', '--out')),
    ('benchmark_cache.py', ('none.py', '--out')),
    ('benchmark_sentences.py', ('none.py', '--out')),
    ('benchmark_loading.py', ('none.py', '--out')),
    ('analyze_logs.py', ('none', '--json')),
])
def test_reports_that_cannot_be_written(run, tmp_path, tool, given):
    with pytest.raises(IsADirectoryError, match='is a folder, but a file is to be written: name one'):
        run(f'analysis_tools/{tool}', *given, tmp_path)


@pytest.mark.parametrize('tool, given, options', [
    ('predict.py', (*NOWHERE, 'none.jpg', 'a'), ['--threshold']),
    ('predict_images.py', (*NOWHERE, 'none', '--sentences', 'a'), ['--threshold', '--every', '--batch-size']),
    ('analysis_tools/attention_maps.py', (*NOWHERE, 'none.jpg', 'a'), ['--threshold']),
    ('analysis_tools/draw_predictions.py', NOWHERE, ['--threshold', '--number', '--seed']),
    ('analysis_tools/error_report.py', ('none.jsonl', ), ['--threshold', '--number']),
    ('analysis_tools/browse_dataset.py', NOWHERE[:1], ['--number', '--epoch']),
    ('analysis_tools/run_ablation.py', NOWHERE[:1], ['--seeds', '--processes', '--jobs']),
    ('analysis_tools/benchmark_index.py', (), ['--objects', '--sentences', '--images', '--annotations', '--workers']),
    ('analysis_tools/benchmark_samples.py', NOWHERE[:1], ['--samples', '--repetitions']),
    ('analysis_tools/benchmark_steps.py', NOWHERE[:1], ['--batch-size', '--steps']),
    ('analysis_tools/benchmark_cache.py', NOWHERE[:1], ['--batch-size', '--steps']),
    ('analysis_tools/benchmark_sentences.py', NOWHERE[:1], ['--repetitions', '--tokens']),
    ('analysis_tools/gpu_check.py', (), ['--limit-seconds']),
    ('train_stages.py', NOWHERE[:1], ['--processes']),
])
def test_numbers_out_of_range(run, capsys, tool, given, options):
    for option in options:
        with pytest.raises(SystemExit):
            run(tool, *given, option, '-1')
        assert f'argument {option}: ' in (error := capsys.readouterr().err) and 'is needed, but got -1' in error
        if option not in ('--seed', '--seeds', '--epoch', '--threshold', '--workers'):
            with pytest.raises(SystemExit):
                run(tool, *given, option, '0')
            assert 'an integer of at least 1 is needed, but got 0' in capsys.readouterr().err
