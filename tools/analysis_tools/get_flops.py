"""Count parameters and multiply-adds of a config's model, stage by stage.

    python tools/analysis_tools/get_flops.py configs/cm_masksd/vit-b_refcoco.py
    python tools/analysis_tools/get_flops.py configs/cm_masksd/vit-b_refcoco.py --shape 480 480 --tokens 20 \
        --out vit-b_refcoco.json
    python tools/analysis_tools/get_flops.py configs/mail/vilt-b_refcoco.py --instances 8

Of one image and one expression in evaluation; below the total, what of it is computed once an image, and what once
more for each further sentence about it. Counted are the multiply-adds of convolutions, linear maps and products
of matrices, those of attention among them; not norms, activations, sums and interpolations. Weights and data need not
be there, and nothing is computed: it takes seconds, and the model no memory, for any size.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from mmris.utils import write_atomically
from mmris.utils.complexity import count_complexity
from mmris.utils.configs import add_option_argument, check_output, read_config
from mmris.utils.input_sizes import USUAL_TOKENS, describe_sizes, read_input_sizes
from mmris.utils.tables import markdown_table
from mmris.utils.tool import run_tool

# What the parts of the total are called.
ONCE = dict(image='once an image', sentence='once a sentence')


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Count parameters and multiply-adds of a config\'s model, stage by stage, for one image and one '
        'expression in evaluation. Multiply-adds are those of convolutions, linear maps and products of matrices, '
        'attention included; norms, activations, sums and interpolations are not counted.')
    parser.add_argument('config', help='config file, or mmris::FOLDER/NAME.py for one of the project\'s')
    parser.add_argument(
        '--shape',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='of the input in pixels (default: that of the config\'s test pipeline)')
    parser.add_argument(
        '--tokens',
        type=int,
        help='tokens of the expression (default: those that the config\'s test pipeline pads to; '
        f'{USUAL_TOKENS}, a usual sentence with its two ends, if it pads to the longest sentence)')
    parser.add_argument(
        '--instances',
        type=int,
        default=0,
        help='instance masks of the image, for models that they enter (default: %(default)s)')
    parser.add_argument('--out', help='JSON file to write the numbers to')
    add_option_argument(parser)
    parser.set_defaults(data_root=None, refs_file=None, image_folder=None)
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> None:
    options = parse_arguments(arguments)
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
        with write_atomically(options.out) as path:
            path.write_text(json.dumps(costs, indent=2) + '\n')


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


if __name__ == '__main__':
    run_tool(main)
