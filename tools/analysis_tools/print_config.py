"""Print a config as it is after inheritance and options, a part of it, or how two differ.

    python tools/analysis_tools/print_config.py configs/cm_masksd/vit-b_refcoco.py
    python tools/analysis_tools/print_config.py configs/cm_masksd/vit-b_refcoco.py --key model.distillation
    python tools/analysis_tools/print_config.py configs/cris/rn50_refcoco.py --key test_dataloader.dataset.pipeline
    python tools/analysis_tools/print_config.py configs/cm_masksd/vit-b_refcoco.py --diff \
        configs/cm_masksd/vit-l_refcoco.py
"""

import argparse
from typing import Any, Optional

from mmengine.config import Config

from mmris.datasets.pipelines import unresolve_pipelines
from mmris.utils.config_comparison import compare, get_part
from mmris.utils.configs import add_config_arguments, check_inputs, read_config
from mmris.utils.resources import find_config
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Print a config, a part of it, or how two differ.')
    add_config_arguments(parser)
    parser.add_argument('--key', help='this part alone, such as model.distillation or test_dataloader.dataset.pipeline')
    parser.add_argument('--diff', metavar='CONFIG', help='what differs in this one, which options do not change')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
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


if __name__ == '__main__':
    run_tool(main)
