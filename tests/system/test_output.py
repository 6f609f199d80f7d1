"""What tools say on terminals that cannot show it, and into files of any name (in this process: imports take long)."""

import ast
import io
import json
import os
import runpy
import sys
from pathlib import Path

import pytest

from mmris.command_line.groups import find_tools
from tests.conftest import ROOT, edit_refs, run_python, write_set
from tests.evaluation.test_error_analysis import row

TOOLS = find_tools()
# Chinese, and a byte that is not UTF-8.
NAME = os.fsdecode('红'.encode() + b'\xe9')


@pytest.fixture
def run(monkeypatch):
    """Run a tool on a terminal of ASCII; what it says."""

    def run(name: str, *arguments: object) -> str:
        shown = io.BytesIO()
        monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(shown, encoding='ascii', write_through=True))
        monkeypatch.setattr(sys, 'argv', [str(TOOLS[name]), *map(str, arguments)])
        runpy.run_path(str(TOOLS[name]), run_name='__main__')
        return shown.getvalue().decode()

    return run


@pytest.mark.parametrize('path', TOOLS.values(), ids=lambda path: path.stem)
def test_every_tool_is_started_in_the_same_way(path):
    """By ``run_command``, which prepares its streams and imports its work, and by nothing else."""
    last = ast.parse(path.read_text(encoding='utf-8')).body[-1]
    assert ast.unparse(last) == "if __name__ == '__main__':\n    run_command(__file__, __doc__, add_arguments)"


def test_error_report_of_sentences_in_chinese(tmp_path, run):
    rows = [row(5, 9, 2, text='红色 \ud83d | $_$\n', skills=['$^$ 形\u2028状'])]
    path = tmp_path / f'{NAME}.jsonl'
    path.write_text(''.join(json.dumps(dict(one, split='测试')) + '\n' for one in rows))
    out = tmp_path / NAME
    said = run('error_report', path, '--out', out)
    assert said.count('\\u7ea2\\udce9/report.') == 3
    page = (out / 'report.md').read_text(encoding='utf-8')
    assert '\n## 测试\n' in page and '| 红色 � \\| $_$ ' in page and (out / 'report.png').stat().st_size > 9999


def test_logs_of_runs_in_folders_of_any_name(tmp_path, run):
    folder = tmp_path / NAME / 'time' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(json.dumps(dict(iter=n, step=n, loss=1 / n)) + '\n' for n in (1, 2)))
    said = run('analyze_logs', tmp_path / NAME, '--out', tmp_path / f'{NAME}.png', '--json', tmp_path / f'{NAME}.json')
    assert ' \\u7ea2\\ufffd |' in said and said.endswith('\\u7ea2\\udce9.png: curves of \\u7ea2\\udce9\n')
    assert Path(tmp_path / f'{NAME}.png').stat().st_size > 9999


def test_browsing_goes_on_where_nobody_looks(tmp_path, monkeypatch, refer_set):
    """Its bar of progress too."""
    monkeypatch.setattr(sys, 'stdout', None)
    monkeypatch.setattr(sys, 'argv', [
        'browse_dataset', 'configs/cm_masksd/vit-tiny_shaperef.py', '--data-root', str(refer_set), '--split', 'val',
        '--out', str(tmp_path / 'sheet.png')])
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(TOOLS['browse_dataset']), run_name='__main__')
    sys.stdout.close()
    assert (tmp_path / 'sheet.png').stat().st_size > 999


@pytest.mark.parametrize('tool, option, what', [('train', '--work-dir', 'work folder'), ('test', '--split', 'split')])
@pytest.mark.parametrize('name', ['work\udce9', 'two\nlines'])
def test_names_that_cannot_be_written_are_told_before_the_work(run, monkeypatch, tool, option, what, name):
    """MMEngine writes them into files and tables."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(ValueError, match=f'The name of the {what}, .*, holds line breaks, control characters or bytes'):
        run(tool, 'configs/cm_masksd/vit-tiny_shaperef.py', option, name)


@pytest.mark.slow
def test_an_evaluation_of_odd_sentences_ends_in_a_locale_without_letters(tmp_path):
    """In Chinese, with half an emoji and with ids of both kinds: training and evaluation end, and all is written."""
    folder = write_set(tmp_path / 'set', images=4, refs_per_image=2)

    def change(refs):
        for ref in refs:
            ref['split'] = 'val' if ref['ref_id'] > 4 else 'train'
        refs[5]['sentences'][0].update(sent='左边的红色圆 \ud83d', sent_id='a')
        refs[6].update(ref_id='7', ann_id='107')

    edit_refs(folder, change)
    train_locale = dict(LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0', OMP_NUM_THREADS='1')
    options = ['--data-root', folder, '--work-dir', tmp_path / 'work', '--cfg-options', 'train_cfg.max_epochs=1',
               'train_dataloader.batch_size=2', 'param_scheduler=None', 'log_processor.window_size=1']
    config = 'configs/cm_masksd/vit-tiny_shaperef.py'
    run_python('tools/train.py', config, *options, **train_locale)
    rows = tmp_path / 'rows.jsonl'
    printed = run_python('tools/test.py', config, tmp_path / 'work' / 'epoch_1.pth', '--data-root', folder, '--split',
                         'val', '--dump', rows, '--out', tmp_path / 'metrics.json', '--work-dir', tmp_path / 'test',
                         **train_locale)
    assert 'oIoU' in printed
    found = [json.loads(line) for line in rows.read_text(encoding='utf-8').splitlines()]
    assert [row['sent_id'] for row in found] == [1004, 1006, 1007, 'a']
    assert found[3]['text'] == '左边的红色圆 \ufffd' and found[1]['ref_id'] == 7
