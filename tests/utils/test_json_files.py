"""JSON that was written to a file, and may since be anything."""

import json

import pytest

from mmris.benchmarks.report import read_before
from mmris.commands.run_ablation import read_metrics
from mmris.datasets.downloading.part import Version, read_source, source_path
from mmris.datasets.stored_split import read_stored_split
from mmris.hub.model_card import read_scores
from mmris.utils.commands import check_run_settings
from mmris.utils.finite import is_finite_number
from mmris.utils.json_files import read_json_file, write_json_file

# What Python's reader of JSON does not read, each by another error.
DAMAGED = dict(
    deep=b'[' * 100000, objects=b'{"a":' * 100000, digits=b'[' + b'9' * 5000 + b']', bytes=b'"\xff"', cut=b'{"a": ',
    empty=b'')
READERS = dict(
    file=lambda path: read_json_file(path, 'Do this.'),
    settings=lambda path: check_run_settings(path.parent, {}, run='a run', remedy='name another'),
    metrics=read_metrics,
    scores=read_scores,
    benchmarks=read_before)


@pytest.mark.parametrize('content', DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize('name', READERS)
def test_damaged_files_are_named(tmp_path, name, content):
    path = tmp_path / 'settings.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'settings.json is not JSON \(.*\)\. (Do this|Remove|Give)'):
        READERS[name](path)


def test_what_is_wrong(tmp_path):
    path = tmp_path / 'a.json'
    for name, said in dict(deep='it is nested too deeply', bytes='it is not text in UTF-8: invalid start byte at byte 1'
                           ).items():
        path.write_bytes(DAMAGED[name])
        with pytest.raises(ValueError) as error:
            read_json_file(path, 'Do this.')
        assert str(error.value) == f'{path} is not JSON ({said}). Do this.'


def test_files_that_are_missing_or_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match='a.json'):
        read_json_file(tmp_path / 'a.json', 'Do this.')
    (tmp_path / 'a.json').write_text('{"é": [1]}', encoding='utf-8')
    assert read_json_file(tmp_path / 'a.json', 'Do this.') == {'é': [1]}


@pytest.mark.parametrize('content', ['[1]', '{"val": 3}', '7'])
def test_metrics_of_another_form(tmp_path, content):
    (tmp_path / 'metrics.json').write_text(content)
    with pytest.raises(ValueError, match='metrics.json has .* instead of scores by split. Remove it'):
        read_metrics(tmp_path / 'metrics.json')


@pytest.mark.parametrize('content', [*DAMAGED.values(), b'[]', b'{"length": "9"}', b'{"etag": []}', b'{"other": 1}'],
                         ids=str)
def test_a_note_of_a_download_that_is_none(tmp_path, content):
    source_path(tmp_path / 'a.zip').write_bytes(content)
    assert read_source(tmp_path / 'a.zip') is None


def test_a_note_of_a_download(tmp_path):
    source_path(tmp_path / 'a.zip').write_text(json.dumps(dict(length=9, etag='"a"', modified=None)))
    assert read_source(tmp_path / 'a.zip') == Version(9, '"a"', None)


@pytest.mark.parametrize('name', [b'\\q', b'\xff', b'\\ud8', b'\n'], ids=str)
def test_a_split_that_is_no_text(tmp_path, name):
    path = tmp_path / 'a.json'
    path.write_bytes(b'{"info": {"description": "Written by mmris", "split": "' + name + b'"}}')
    assert read_stored_split(str(path)) is None


def test_numbers():
    assert all(map(is_finite_number, [0, -1, 1.5, 2**1000, -1e308]))
    assert not any(map(is_finite_number, [True, None, '1', float('nan'), float('inf'), 10**400, -10**400, [], 1j]))


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.json'
    write_json_file(path, dict(a=[1, 'ä'], b=None))
    with pytest.raises(TypeError, match='set is not JSON serializable'):
        write_json_file(path, dict(a={1}))
    assert read_json_file(path, 'Do this.') == dict(a=[1, 'ä'], b=None)
    assert list(tmp_path.iterdir()) == [path]
    write_json_file(path, dict(a={1}), default=list)
    assert read_json_file(path, 'Do this.') == dict(a=[1])
