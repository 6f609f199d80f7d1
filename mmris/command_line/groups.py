"""The commands, in the groups in which ``mmris --help`` lists them."""

import ast
import runpy
from functools import cache
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from mmris.utils.resources import RESOURCES

#: Commands by what they are for. A command is the file of its name in ``tools``.
GROUPS: Dict[str, Tuple[str, ...]] = {
    'use': ('try', 'demo', 'predict', 'predict_images', 'web', 'models', 'doctor', 'completion'),
    'train': ('train', 'train_stages', 'run_ablation'),
    'evaluate': ('test', 'error_report', 'draw_predictions'),
    'data': ('download', 'convert_dataset', 'check_dataset', 'browse_dataset', 'make_shaperef', 'make_expressions'),
    'convert': ('convert_weights', 'publish_model', 'push', 'export'),
    'inspect': ('print_config', 'get_flops', 'analyze_logs', 'attention_maps', 'filter_report', 'inspect_masking',
                'benchmark', 'benchmark_cache', 'benchmark_export', 'benchmark_index', 'benchmark_loading',
                'benchmark_samples', 'benchmark_sentences', 'benchmark_steps', 'gpu_check'),
}


@cache
def find_tools() -> Dict[str, Path]:
    """The files of the commands, by their names."""
    return {path.stem: path for path in sorted((RESOURCES / 'tools').rglob('*.py'))}


def load_tool(name: str) -> Tuple[str, str, Callable]:
    """Read what :func:`~mmris.command_line.running.make_parser` needs: a command's file, docstring, ``add_arguments``.

    Args:
        name (str): The command.
    """
    path = str(find_tools()[name])
    content = runpy.run_path(path)
    return path, content['__doc__'], content['add_arguments']


def find_command(given: str) -> Optional[str]:
    """The name of a command, which may be spelt with ``-`` in place of ``_``; None if there is none."""
    name = given.replace('-', '_')
    return name if name in find_tools() else None


def summarise(path: Path) -> str:
    """What a command does: the first line of its file's docstring."""
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
    return documentation.partition('\n')[0]


def describe_groups() -> str:
    """All commands, a line each, below the names of their groups."""
    tools = find_tools()
    width = max(map(len, tools))
    lines: List[str] = []
    for group, names in GROUPS.items():
        lines += ['', f'{group}:', *(f'  {name:<{width}}  {summarise(tools[name])}' for name in names)]
    return '\n'.join(lines[1:])
