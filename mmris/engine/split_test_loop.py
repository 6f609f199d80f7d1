"""One run of test.py over several splits."""

import copy
import json
import os
from typing import Any, Dict, List, Optional, Union

from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from mmris.registry import LOOPS
from mmris.utils import write_atomically


@LOOPS.register_module()
class SplitTestLoop(TestLoop):
    """Evaluates one model on several splits of a data set, one after the other.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        evaluator (dict or list): Config of the evaluator.
        splits (dict[str, dict]): For each evaluation, by name, what it changes of the data set's config:
            ``dict(val=dict(split='val'), val_empty=dict(split='val', control='empty'))``. That may be another set:
            ``dict(other_val=dict(refs_file='other/refs(unc).p', ann_file='other/instances.json', split='val'))``.
        dump_file (str, optional): Where to write one line of JSON an expression of all splits. Defaults to None.
        fp16 (bool): Test in float16. Defaults to False.

    Raises:
        ValueError: If ``splits`` is empty.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: dict,
                 evaluator: Union[dict, List[dict]],
                 splits: Dict[str, dict],
                 dump_file: Optional[str] = None,
                 fp16: bool = False) -> None:
        if not splits:
            raise ValueError('SplitTestLoop needs at least one split, such as splits=dict(val=dict(split=\'val\')).')
        self._dataloader_config = dataloader
        self._evaluator_config = evaluator
        self.splits = splits
        self.dump_file = dump_file
        first = self._build_dataloader(runner, next(iter(splits.values())))
        super().__init__(runner, first, evaluator, fp16)

    def run(self) -> Dict[str, Any]:
        """Evaluate.

        Returns:
            dict[str, Any]: All metrics, as ``<name>/<metric>``.
        """
        metrics = {}
        for position, (name, changes) in enumerate(self.splits.items()):
            print_log(f'Evaluating {name}.', logger='current')
            if position:
                self.dataloader = self._build_dataloader(self.runner, changes)
            self.evaluator = self.runner.build_evaluator(self._evaluator_for(name))
            self.evaluator.dataset_meta = self.dataloader.dataset.metainfo
            metrics.update({f'{name}/{key}': value for key, value in super().run().items()})
        if self.dump_file is not None:
            self._join_dumps()
        return metrics

    def _build_dataloader(self, runner: Runner, changes: dict) -> DataLoader:
        config = copy.deepcopy(self._dataloader_config)
        config['dataset'].update(changes)
        return runner.build_dataloader(config, seed=runner.seed)

    def _evaluator_for(self, name: str) -> Union[dict, List[dict]]:
        config = copy.deepcopy(self._evaluator_config)
        if self.dump_file is not None:
            first = config[0] if isinstance(config, (list, tuple)) else config
            first['dump_file'] = self._part(name)
        return config

    def _part(self, name: str) -> str:
        return f'{self.dump_file}.{name}.part'

    def _join_dumps(self) -> None:
        if is_main_process():
            with write_atomically(self.dump_file) as temporary, open(temporary, 'w', encoding='utf-8') as joined:
                for name in self.splits:
                    with open(self._part(name), encoding='utf-8') as part:
                        for line in part:
                            joined.write(json.dumps(dict(split=name, **json.loads(line)), ensure_ascii=False) + '\n')
            for name in self.splits:
                os.remove(self._part(name))
        barrier()
