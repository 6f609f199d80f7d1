"""The work of ``mmris test``."""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmris.apis import init_untrained
from mmris.apis.model import warn_of_another_config
from mmris.checkpoints import load_model_weights
from mmris.evaluation import format_results, nest_metrics, to_json
from mmris.names import MASK_CONTROLS, SENTENCE_CONTROLS
from mmris.registry import RUNNERS
from mmris.utils import unwrap_model, write_atomically
from mmris.utils.commands import plain
from mmris.utils.configs import (
    check_data,
    check_output,
    check_text,
    choose_checkpoint,
    name_work_dir,
    read_config,
)
from mmris.utils.files import digest_file
from mmris.utils.launching import destroy_process_group, set_feature_cache, set_launcher
from mmris.utils.precision import check_precision
from mmris.utils.stop_signals import end_with_advice
from mmris.version import __version__


def set_splits(config: Config, arguments: argparse.Namespace) -> None:
    """Tell the test loop what to evaluate."""
    if arguments.split is not None:
        for name in arguments.split:
            check_text('split', name)
        known = config.get('test_cfg', {}).get('splits', {})
        splits = {name: known.get(name, dict(split=name)) for name in arguments.split}
        config.test_cfg = dict(type='SplitTestLoop', splits=splits)
    splits = config.test_cfg.splits
    first = next(iter(splits))
    masked = config.test_dataloader.dataset.get('instance_masks') is not None
    for control in arguments.controls:
        if control in MASK_CONTROLS and not masked:
            raise ValueError(f'The control {control} is about instance masks, but the data set of {arguments.config} '
                             f'has none: choose one of {", ".join(SENTENCE_CONTROLS)}.')
        splits[f'{first}_{control}'] = dict(splits[first], control=control)
    config.test_cfg.dump_file = arguments.dump


def main(arguments: argparse.Namespace) -> None:
    arguments.checkpoint = choose_checkpoint(arguments)
    for path in (arguments.out, arguments.dump):
        check_output(path)
    config = read_config(arguments)
    check_data(config, arguments.config)
    set_launcher(config, arguments)
    set_feature_cache(config, arguments.cache_features)
    name_work_dir(config, arguments.config, arguments.work_dir)
    config.load_from, config.resume = None, False
    # Nothing of training is built.
    config.train_cfg = config.train_dataloader = config.optim_wrapper = config.param_scheduler = None
    set_splits(config, arguments)
    if arguments.amp is not None:
        check_precision(arguments.amp)
        config.test_cfg.precision = arguments.amp
    if arguments.compile:
        config.compile = True

    keep_finished_splits(config, arguments)
    with end_with_advice(_advice(arguments)):
        _evaluate(config, arguments)
    destroy_process_group()


def keep_finished_splits(config: Config, arguments: argparse.Namespace) -> None:
    """Let an evaluation with ``--out`` that is stopped and started again go on with the splits that are left."""
    if arguments.out is None:
        return
    loop = config.test_cfg
    checkpoint = arguments.checkpoint and (digest_file(arguments.checkpoint) if Path(arguments.checkpoint).is_file()
                                           else arguments.checkpoint)
    loop.partial_file = arguments.out
    loop.settings = plain(
        dict(
            model=config.model,
            inputs=config.get('inputs'),
            dataloader=config.test_dataloader,
            evaluator=config.test_evaluator,
            precision=loop.get('precision'),
            version=__version__,
            checkpoint=checkpoint))


def _advice(arguments: argparse.Namespace) -> str:
    if arguments.out is None:
        return 'Run the same command to evaluate anew; with --out FILE, splits that are finished are kept.'
    return f'Run the same command to continue: splits that are finished are kept beside {arguments.out}.'


def _evaluate(config: Config, arguments: argparse.Namespace) -> None:
    runner = RUNNERS.build(config)
    model = unwrap_model(runner.model)
    if arguments.checkpoint is not None:
        warn_of_another_config(config, arguments.checkpoint)
        load_model_weights(model, arguments.checkpoint)
    else:
        init_untrained(model)
    results = nest_metrics(runner.test())
    if is_main_process():
        print(format_results(results))
        if arguments.out is not None:
            with write_atomically(arguments.out) as temporary:
                temporary.write_text(to_json(results), encoding='utf-8')
            runner.test_loop.remove_partial()
