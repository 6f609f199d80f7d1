"""A page for each folder of configs: each config as it stands in its file."""

from pathlib import Path

from sphinx.application import Sphinx
from writing import write_if_changed

DOCS = Path(__file__).resolve().parents[1]
CONFIGS = DOCS.parent / 'configs'
FOLDER = DOCS / 'reference' / 'configs'


def anchor_of(config: Path) -> str:
    """The target of a config's place on its page."""
    return 'config-' + '-'.join(config.relative_to(CONFIGS).with_suffix('').parts)


def page_of(folder: Path) -> str:
    """The page of a folder, in Markdown."""
    parts = [f'# {folder.name}', 'What a config inherits (`_base_`) stands on the page of its folder. '
             f'`mmris print_config configs/{folder.name}/CONFIG.py` prints it whole.']
    for path in sorted(folder.rglob('*.py')):
        name = path.relative_to(folder).as_posix()
        parts.append(f'({anchor_of(path)})=\n## {name}\n\n```python\n{path.read_text(encoding="utf-8").rstrip()}\n```')
    return '\n\n'.join(parts) + '\n'


def _write(app: Sphinx) -> None:
    for folder in sorted(path for path in CONFIGS.iterdir() if path.is_dir() and any(path.rglob('*.py'))):
        write_if_changed(FOLDER / f'{folder.name.strip("_")}.md', page_of(folder))


def setup(app: Sphinx) -> dict:
    app.connect('builder-inited', _write)
    return dict(parallel_read_safe=True)
