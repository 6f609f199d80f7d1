"""A page for each group of commands, made of what ``mmris COMMAND --help`` prints."""

import os
from pathlib import Path

from sphinx.application import Sphinx
from writing import write_if_changed

from mmris.command_line.groups import GROUPS, load_tool
from mmris.command_line.running import make_parser

FOLDER = Path(__file__).resolve().parents[1] / 'reference' / 'commands'
TITLES = dict(use='Use a model', train='Train', evaluate='Evaluate', data='Data', convert='Convert and share',
              inspect='Inspect and measure')


def page_of(group: str) -> str:
    """The page of a group, in Markdown."""
    parts = [f'# {TITLES[group]}']
    for name in GROUPS[group]:
        parser = make_parser(*load_tool(name), prog=f'mmris {name}')
        parts.append(f'(command-{name})=\n## mmris {name}\n\n```text\n{parser.format_help().rstrip()}\n```')
    return '\n\n'.join(parts) + '\n'


def _write(app: Sphinx) -> None:
    os.environ['COLUMNS'] = '100'
    for group in GROUPS:
        write_if_changed(FOLDER / f'{group}.md', page_of(group))


def setup(app: Sphinx) -> dict:
    app.connect('builder-inited', _write)
    return dict(parallel_read_safe=True)
