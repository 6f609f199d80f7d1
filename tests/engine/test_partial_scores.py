"""An evaluation of several splits that is stopped goes on with those that are left."""

import pytest
from mmengine.hooks import Hook

from mmris.engine.partial_scores import PartialScores
from mmris.registry import RUNNERS
from tests.engine.test_split_test_loop import SPLITS, dumped, splits_config

EVALUATOR = dict(type='ReferringIoUMetric', threshold=0.0)


class StoppedError(Exception):
    """Stands for a signal."""


class Evaluation:
    """Evaluates two splits in a folder, and notes which it had to."""

    def __init__(self, folder, **settings) -> None:
        self.dump, self.evaluated = folder / 'rows.jsonl', 0
        self.config = splits_config(
            folder, EVALUATOR, dump_file=str(self.dump), partial_file=str(folder / 'scores.json'), settings=settings)

    def run(self) -> dict:
        evaluation = self

        class Count(Hook):

            def after_test_epoch(self, runner, metrics=None):
                evaluation.evaluated += 1

        runner = RUNNERS.build(self.config)
        runner.register_hook(Count())
        scores = runner.test()
        runner.test_loop.remove_partial()
        return scores


@pytest.mark.parametrize('changed', [False, True])
def test_finished_splits_are_not_evaluated_again(tmp_path, monkeypatch, changed):
    evaluation = Evaluation(tmp_path, model='a')
    write = PartialScores.write

    def write_and_stop(partial: PartialScores, scores: dict) -> None:
        write(partial, scores)
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(PartialScores, 'write', write_and_stop)
        with pytest.raises(StoppedError):
            evaluation.run()
    left = {path.name for path in tmp_path.glob('*.part')}
    assert left == {'scores.json.val.part', 'rows.jsonl.val.part'} and evaluation.evaluated == 1
    if changed:
        evaluation.config.test_cfg.settings = dict(model='b')
    evaluation.evaluated = 0
    scores, rows = evaluation.run(), dumped(evaluation.dump)
    assert evaluation.evaluated == (2 if changed else 1) and not list(tmp_path.glob('*.part'))
    assert list(rows) == list(SPLITS)
    assert evaluation.run() == scores and dumped(evaluation.dump) == rows


@pytest.mark.parametrize('content', ['{', '[1]', '{}', '{"settings": {}}', '[' * 100_000])
def test_a_damaged_file_is_as_none(tmp_path, content):
    (tmp_path / 'scores').write_text(content)
    assert PartialScores(str(tmp_path / 'scores'), {}).read() == {}
