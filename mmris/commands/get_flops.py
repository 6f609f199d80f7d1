"""The work of ``mmris get_flops``."""

import argparse
from pathlib import Path
from typing import Any, Dict, Optional

import torch
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.configs import check_output, read_config
from mmris.utils.input_sizes import describe_sizes, read_input_sizes
from mmris.utils.json_files import write_json_file
from mmris.utils.tables import markdown_table

# What the parts of the total are called.
ONCE = dict(image='once an image', sentence='once a sentence')


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    config = read_config(options)
    init_default_scope(config.get('default_scope', 'mmris'))
    sizes = read_input_sizes(config, options.shape, options.tokens, options.instances)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    costs = count_complexity(model, **vars(sizes))
    table = format_costs(costs, config.get('quoted_costs'))
    print(f'{Path(options.config).stem}, {describe_sizes(sizes, model.encoder.takes_instances)}\n\n{table}')
    if options.out is not None:
        write_json_file(options.out, costs)


def format_costs(costs: Dict[str, Dict[str, Any]], quoted: Optional[Dict[str, float]]) -> str:
    """A table of millions of parameters and billions of multiply-adds, and beside them what is quoted of a paper's."""
    rows = []
    for name, cost in costs.items():
        flops = cost['flops'] / 1e9 if 'flops' in cost else 'in training only'
        rows.append([name, cost['params'] / 1e6, cost['trained'] / 1e6, flops])
        called = ONCE if name == 'total' else {}
        rows.extend([f'- {called.get(part, part)}', '', '', value['flops'] / 1e9] for part, value in cost.items()
                    if isinstance(value, dict))
    if quoted is not None:
        rows.append(['total, as quoted', quoted['params'] / 1e6, '', quoted['flops'] / 1e9])
    return markdown_table(['stage', 'parameters, M', 'trained, M', 'multiply-adds, G'], rows)
