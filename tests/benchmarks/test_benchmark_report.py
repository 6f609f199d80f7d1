"""What benchmarks give, and how it is compared and written."""

import json

import pytest

from mmris.benchmarks import cases
from mmris.benchmarks.models import prepare
from mmris.benchmarks.report import BEGIN, END, compare, to_entry, write_docs
from mmris.benchmarks.result import Result, ratios_of
from mmris.benchmarks.timing import take_turns
from tests.conftest import run_command


def entry(ratios, **options):
    return to_entry(Result('a over b', ratios, **options), 1.0)


@pytest.mark.parametrize('ratios, options, share, reached, goal', [
    ([2.0, 3.0, 100.0], dict(), 3.0, None, ''),
    ([2.5], dict(bound=2.5, most=1.1), 1.0, True, 'at most 1.1 of the bound'),
    ([2.8], dict(bound=2.5, most=1.1), 1.12, False, 'at most 1.1 of the bound'),
    ([1.7], dict(bound=2.0, least=0.9), 0.85, False, 'at least 0.9 of the bound'),
    ([0.99], dict(least=0.99), 0.99, True, 'at least 0.99'),
])
def test_goals(ratios, options, share, reached, goal):
    found = entry(ratios, **options)
    assert found['share'] == pytest.approx(share) and found['reached'] is reached and found['goal'] == goal


def test_ways_take_turns():
    calls = []
    seconds = take_turns(dict(one=lambda: calls.append(1), two=lambda: calls.append(2)), 2)
    assert calls == [1, 2, 1, 2, 1, 2] and {name: len(values) for name, values in seconds.items()} == dict(one=2, two=2)
    assert ratios_of([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]


def test_comparison():
    before = dict(machine='A', results=dict(same=entry([2.0]), slower=entry([2.0]), gone=entry([1.0])))
    now = dict(machine='B', results=dict(same=entry([2.1]), slower=entry([2.3]), added=entry([1.0])))
    assert compare(before, now) == [
        'The run before was on A.', 'slower: 2.00 before, 2.30 now', 'added: new',
        '1 of 3 ratios are within 10% of the run before.']
    assert compare(None, now) == []


def test_docs(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(f'Before\n\n{BEGIN}\n\nold\n\n{END}\n\nAfter\n')
    found = dict(machine='A', torch='2.0', results=dict(one=entry([2.5], bound=2.0, least=0.9)))
    write_docs(page, found)
    once = page.read_text()
    assert once.startswith(f'Before\n\n{BEGIN}\n\nA, PyTorch 2.0:') and once.endswith(f'{END}\n\nAfter\n')
    assert 'old' not in once and '125%' in once
    write_docs(page, found)
    assert page.read_text() == once
    page.write_text('No marks')
    with pytest.raises(ValueError, match='must have the lines .* once: the table is written between them'):
        write_docs(page, found)


def test_command(tmp_path, monkeypatch, capsys):
    """Results are written as they come, a later run is compared with them, and a goal that is missed is the status."""
    ratios = iter([[1.0], [1.0], [3.0], [1.0]])

    def case(**options):
        def measure():
            return Result('measured', next(ratios), **options)

        return cases.Case(measure, measure)

    monkeypatch.setattr('mmris.commands.benchmark.CASES', dict(
        sentences=case(), branches=case(most=1.1), compiling=cases.Case(lambda: 1 / 0)))
    out = tmp_path / 'bench.json'
    assert run_command('benchmark', '--brief', '--out', out) == 0
    assert [one['ratio'] for one in json.loads(out.read_text())['results'].values()] == [1.0, 1.0]
    assert run_command('benchmark', '--only', 'sentences', 'branches', '--out', out) == 0
    assert 'sentences: 1.00 before, 3.00 now' in capsys.readouterr().out
    ratios, page = iter([[2.0], [2.0]]), tmp_path / 'page.md'
    page.write_text(f'{BEGIN}\n{END}')
    # Of the same machine and sizes, what was measured before stays.
    assert run_command('benchmark', '--only', 'branches', '--out', out, '--docs', page) == 1
    assert [one['ratio'] for one in json.loads(out.read_text())['results'].values()] == [3.0, 2.0]
    assert page.read_text().count('| measured') == 2
    assert run_command('benchmark', '--only', 'branches', '--brief', '--out', out) == 1
    assert len(json.loads(out.read_text())['results']) == 1
    with pytest.raises(ZeroDivisionError):
        run_command('benchmark', '--only', 'compiling')


def test_a_page_without_a_table_is_found_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr('mmris.commands.benchmark.CASES', dict(sentences=cases.Case(lambda: 1 / 0)))
    page = tmp_path / 'page.md'
    page.write_text('No marks')
    with pytest.raises(ValueError, match='page.md must have the lines'):
        run_command('benchmark', '--only', 'sentences', '--docs', page)


def test_what_is_measured_is_what_the_title_says():
    """Branches cost about what their multiply-adds do; a batch of one image holds its sentences."""
    result = cases.measure_branches('cm_masksd/vit-tiny_shaperef.py', 2, 2)
    assert 2 < result.bound < 3 and 1 < result.ratio < 5
    measured = prepare('cm_masksd/vit-tiny_shaperef.py')
    batch = measured.training_batch(2, 3)
    assert [len(sample.token_ids) for sample in batch['data_samples']] == [3, 3]
