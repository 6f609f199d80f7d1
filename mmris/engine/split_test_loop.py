"""One run of test.py over several splits."""

import copy
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import LoggerHook
from mmengine.logging import print_log
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from mmris.evaluation import nest_metrics, own_metrics, to_json
from mmris.registry import LOOPS
from mmris.utils import write_atomically
from mmris.utils.precision import mixed_precision

from .partial_scores import PartialScores


@LOOPS.register_module()
class SplitTestLoop(TestLoop):
    """Evaluates one model on several splits of a data set, one after the other.

    Hooks see each split as a test of its own, with its scores under their plain names. The JSON that ``LoggerHook``
    leaves in the log folder holds those of all splits so far, by split, as ``mmris test --out`` does.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        evaluator (dict or list): Config of the evaluator. A ``dump_file`` of a ``ReferringIoUMetric`` gets the
            expressions of all splits.
        splits (dict[str, dict]): For each evaluation, by name, what it changes of the data set's config:
            ``dict(val=dict(split='val'), val_empty=dict(split='val', control='empty'))``. That may be another set:
            ``dict(other_val=dict(refs_file='other/refs(unc).p', ann_file='other/instances.json', split='val'))``.
        dump_file (str, optional): Where the first ``ReferringIoUMetric`` writes one line of JSON an expression of all
            splits, with its ``split``. Defaults to None: what that metric's own ``dump_file`` says.
        precision (str, optional): ``'float16'`` or ``'bfloat16'``: evaluate in mixed precision. Default: None, in the
            type of the weights.
        partial_file (str, optional): Where the scores of finished splits are kept until :meth:`remove_partial`. Splits
            that it has are not evaluated again. Default: None, nowhere.
        settings (dict, optional): What decides the scores besides ``splits``. A ``partial_file`` of other settings is
            not used. Default: None, nothing.

    Raises:
        ValueError: If ``splits`` is empty, or the data set has none of a name in it.
        ValueError: If ``dump_file`` is set, and ``evaluator`` has no ``ReferringIoUMetric``.
        ValueError: If two metrics have the same ``dump_file``.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: dict,
                 evaluator: Union[dict, List[dict]],
                 splits: Dict[str, dict],
                 dump_file: Optional[str] = None,
                 precision: Optional[str] = None,
                 partial_file: Optional[str] = None,
                 settings: Optional[dict] = None) -> None:
        if not splits:
            raise ValueError('SplitTestLoop needs at least one split, such as splits=dict(val=dict(split=\'val\')).')
        self._dataloader_config = dataloader
        self._evaluator_config = _with_dump_file(evaluator, dump_file)
        self.splits = splits
        self.dump_files = _dump_files(self._evaluator_config)
        # All are built, and so checked, before one is scored: a mistake in the last costs no evaluation.
        self._ready = {name: self._build_dataloader(runner, changes) for name, changes in splits.items()}
        super().__init__(runner, next(iter(self._ready.values())), evaluator)
        self.precision = precision
        self._settings = settings
        self._partial_file = partial_file

    def run(self) -> Dict[str, Any]:
        """Evaluate.

        Returns:
            dict[str, Any]: All metrics, as ``<name>/<metric>``.
        """
        scores: Dict[str, Dict[str, Any]] = {}
        finished = self._finished()
        for name, changes in self.splits.items():
            # Not kept: each has data workers of its own.
            ready = self._ready.pop(name, None)
            if name in finished:
                print_log(f'{name} was evaluated before the last stop, and is not evaluated again.', logger='current')
                scores[name] = finished[name]
                continue
            print_log(f'Evaluating {name}.', logger='current')
            self.dataloader = self._build_dataloader(self.runner, changes) if ready is None else ready
            self.evaluator = self.runner.build_evaluator(self._evaluator_for(name))
            self.evaluator.dataset_meta = self.dataloader.dataset.metainfo
            scores[name] = super().run()
            self._log_all(scores)
            self._clear_metrics(scores[name])
            if self._partial_file is not None:
                self._partial(name).write(scores[name])
        for dump_file in self.dump_files:
            self._join_dumps(dump_file)
        return {f'{name}/{key}': value for name, own in scores.items() for key, value in own.items()}

    def remove_partial(self) -> None:
        """Remove the scores that were kept for another start: all of them are where they belong."""
        for name in self.splits if self._partial_file is not None else ():
            self._partial(name).remove()

    def _partial(self, name: str) -> PartialScores:
        settings = dict(settings=self._settings, changes=self.splits[name])
        return PartialScores(f'{self._partial_file}.{name}.part', settings)

    def _finished(self) -> Dict[str, Dict[str, Any]]:
        """The scores of the splits that an earlier start has finished, its rows of the dump included."""
        if self._partial_file is None:
            return {}
        read = {name: self._partial(name).read() for name in self.splits}
        return {
            name: scores
            for name, scores in read.items()
            if scores and all(os.path.isfile(_partial_path(path, name)) for path in self.dump_files)
        }

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Evaluate a batch, in the precision that was asked for."""
        self.runner.call_hook('before_test_iter', batch_idx=idx, data_batch=data_batch)
        with mixed_precision(self.precision):
            outputs = self.runner.model.test_step(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)

    def _build_dataloader(self, runner: Runner, changes: dict) -> DataLoader:
        config = copy.deepcopy(self._dataloader_config)
        config['dataset'].update(changes)
        return runner.build_dataloader(config, seed=runner.seed)

    def _evaluator_for(self, name: str) -> Union[dict, List[dict]]:
        config = copy.deepcopy(self._evaluator_config)
        for metric in own_metrics(config):
            if metric.get('dump_file') is not None:
                metric['dump_file'] = _partial_path(metric['dump_file'], name)
        return config

    def _log_all(self, scores: Dict[str, Dict[str, Any]]) -> None:
        """Put the scores of all splits where LoggerHook has just written those of the last."""
        # Each process has written the file: the last of them must be done.
        barrier()
        for hook in self.runner.hooks:
            if isinstance(hook, LoggerHook) and is_main_process():
                with write_atomically(Path(self.runner.log_dir) / hook.json_log_path) as temporary:
                    nested = {name: nest_metrics(own) for name, own in scores.items()}
                    temporary.write_text(to_json(nested), encoding='utf-8')

    def _clear_metrics(self, metrics: Dict[str, Any]) -> None:
        """Clear the message hub, from which the next split's line is made: it may not have all of these scores."""
        hub = self.runner.message_hub
        for key in metrics:
            for kept in (hub.log_scalars, hub.runtime_info):
                kept.pop(f'test/{key}', None)

    def _join_dumps(self, dump_file: str) -> None:
        if is_main_process():
            with write_atomically(dump_file) as temporary, open(temporary, 'w', encoding='utf-8') as joined:
                for name in self.splits:
                    with open(_partial_path(dump_file, name), encoding='utf-8') as part:
                        for line in part:
                            joined.write(json.dumps(dict(split=name, **json.loads(line)), ensure_ascii=False) + '\n')
            for name in self.splits:
                os.remove(_partial_path(dump_file, name))
        barrier()


def _partial_path(dump_file: str, split: str) -> str:
    return f'{dump_file}.{split}.part'


def _with_dump_file(evaluator: Union[dict, List[dict]], dump_file: Optional[str]) -> Union[dict, List[dict]]:
    """A copy of the evaluator's config whose first metric of ours writes there."""
    config = copy.deepcopy(evaluator)
    if dump_file is not None:
        own = own_metrics(config)
        if not own:
            raise ValueError(f'SplitTestLoop is to write {dump_file}, but test_evaluator has no ReferringIoUMetric, '
                             f'which gives the rows. Add one, or leave out dump_file (--dump).')
        own[0]['dump_file'] = dump_file
    return config


def _dump_files(evaluator: Union[dict, List[dict]]) -> List[str]:
    found = [metric['dump_file'] for metric in own_metrics(evaluator) if metric.get('dump_file') is not None]
    twice = [path for place, path in enumerate(found) if path in found[:place]]
    if twice:
        raise ValueError(f'Two metrics of test_evaluator write to dump_file={twice[0]!r}, and one would replace the '
                         f'other\'s rows. Give each a file of its own.')
    return found
