"""The tools, also where there is no checkout:

    python -m mmris train mmris::cm_masksd/vit-tiny_shaperef.py
    torchrun --nproc-per-node 8 -m mmris train mmris::cm_masksd/vit-b_refcoco.py --launcher pytorch
"""

import ast
import runpy
import sys
from pathlib import Path
from typing import Dict

from mmris.utils.resources import RESOURCES
from mmris.utils.tool import run_tool


def find_tools() -> Dict[str, Path]:
    """The tools by name."""
    return {path.stem: path for path in sorted((RESOURCES / 'tools').rglob('*.py'))}


def describe(tools: Dict[str, Path]) -> str:
    """How to call a tool, and what each does."""
    lines = ['usage: python -m mmris TOOL [arguments of the tool]', '', 'tools:']
    width = max(map(len, tools))
    for name, path in tools.items():
        documentation = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
        lines.append(f'  {name:<{width}} {documentation.partition(chr(10))[0]}')
    return '\n'.join([*lines, '', 'python -m mmris TOOL --help tells the arguments of one.'])


def main() -> None:
    tools = find_tools()
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('-h', '--help'):
        print(describe(tools))
    elif name not in tools:
        sys.exit(f'There is no tool {name!r}. Tools: {", ".join(tools)}.')
    else:
        sys.argv = sys.argv[1:]
        runpy.run_path(str(tools[name]), run_name='__main__')


if __name__ == '__main__':
    run_tool(main)
