"""The work of ``mmris train``."""

import argparse
from contextlib import suppress

from mmris.engine import PreemptionError
from mmris.registry import RUNNERS
from mmris.utils.configs import check_output, name_work_dir, read_config
from mmris.utils.launching import check_trainable, destroy_process_group, set_launcher, set_training


def main(arguments: argparse.Namespace) -> None:
    config = read_config(arguments)
    check_trainable(config, arguments.config)
    set_launcher(config, arguments)
    set_training(config, arguments)
    name_work_dir(config, arguments.config, arguments.work_dir)
    check_output(config.work_dir, folder=True)
    # All that it did is saved, and it has said so.
    with suppress(PreemptionError):
        RUNNERS.build(config).train()
    destroy_process_group()
