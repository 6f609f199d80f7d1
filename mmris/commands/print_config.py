"""The work of ``mmris print_config``."""

import argparse
from typing import Any, Optional

from mmengine.config import Config

from mmris.datasets.pipelines import unresolve_pipelines
from mmris.utils.config_comparison import compare, get_part
from mmris.utils.configs import check_inputs, read_config
from mmris.utils.resources import find_config


def main(arguments: argparse.Namespace) -> None:
    config = read_config(arguments)
    if arguments.key is None or arguments.diff is not None:
        # As it is written: what follows from inputs would say all of it once more for each loader.
        unresolve_pipelines(config)
    if arguments.diff is None:
        print(pretty(config, arguments.key))
        return
    path = find_config(arguments.diff)
    check_inputs(config=path)
    lines = compare(part(config, arguments.key), part(Config.fromfile(path), arguments.key), arguments.key or '')
    print('\n'.join([f'- {arguments.config}', f'+ {arguments.diff}', '', *(lines or ['No difference.'])]))


def part(config: Config, key: Optional[str]) -> Any:
    """What is at a key, or all."""
    return config.to_dict() if key is None else get_part(config, key)


def pretty(config: Config, key: Optional[str]) -> str:
    """What is at a key, or all, as it would stand in a config file."""
    value = part(config, key)
    if isinstance(value, dict):
        return Config(value).pretty_text.strip()
    name = key.split('.')[-1]
    return Config({name: value}).pretty_text.strip() if isinstance(value, list) and name.isidentifier() else repr(value)
