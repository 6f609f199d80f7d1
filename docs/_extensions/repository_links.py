"""Links between Markdown pages that work on the site as they do in the repository.

Pages link to files: to each other, to the README of a method, to configs and modules. On the site the README of a
method is included in a page, a config has a page of its own, and other files of the repository have no page: a link to
one becomes its path. A link to a file that does not exist fails the build.
"""

import os
import re
from pathlib import Path
from typing import List, Optional

from config_pages import CONFIGS, anchor_of
from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)
DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
# A link or an image of Markdown, but for those that lead out of the repository or to a place in their own page.
LINK = re.compile(r'(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>(?!https?:|mailto:|#)[^)\s]+)\)')


def rewrite(text: str, folder: Path, page: Path) -> str:
    """Rewrite the links of a Markdown text.

    Args:
        text (str): The text.
        folder (Path): The folder that its links start from.
        page (Path): The page of the site that it becomes part of.

    Returns:
        str: The text with links that start from the folder of all pages.
    """
    fenced, lines = False, []
    for line in text.split('\n'):
        if line.startswith(('```', '~~~')):
            fenced = not fenced
        code = fenced or line.startswith('    ')
        lines.append(line if code else LINK.sub(lambda match: _rewrite_link(match, folder, page), line))
    return '\n'.join(lines)


def _rewrite_link(match: 're.Match', folder: Path, page: Path) -> str:
    path, hash_, anchor = match['target'].partition('#')
    target = Path(os.path.normpath(folder / path))
    if not target.exists():
        LOG.warning('%s links to %s, which does not exist', page.relative_to(DOCS), target, location=str(page))
        return match[0]
    if target.suffix == '.py' and target.is_relative_to(CONFIGS):
        return f'[{match["text"]}](#{anchor_of(target)})'
    place = target if match['image'] else find_page(target)
    if place is None:
        text = match['text'].strip('`')
        shown = target.relative_to(ROOT).as_posix()
        return f'`{shown}`' if text in (shown, path, target.name, target.stem) else f'{match["text"]} (`{shown}`)'
    return f'{match["image"]}[{match["text"]}](/{os.path.relpath(place, DOCS)}{hash_}{anchor})'


def find_page(target: Path) -> Optional[Path]:
    """The source of the page that shows a file of the repository, or None."""
    if target.is_dir() and (target / 'README.md').exists():
        target = target / 'README.md'
    if target.is_relative_to(DOCS):
        return target
    if target == ROOT / 'README.md':
        return DOCS / 'index.md'
    if target.is_relative_to(CONFIGS):
        method = target.relative_to(CONFIGS).parts[0]
        page = DOCS / 'methods' / f'{method}.md'
        if target.name == 'README.md' and target.parent.name == method and page.exists():
            return page
    included = DOCS / 'project' / f'{target.stem.lower()}.md'
    return included if target.parent == ROOT and included.exists() else None


def _read(app: Sphinx, name: str, content: List[str]) -> None:
    page = Path(app.env.doc2path(name))
    if page.suffix == '.md':
        content[0] = rewrite(content[0], page.parent, page)


def _include(app: Sphinx, relative_path: Path, parent_name: str, content: List[str]) -> None:
    source = (DOCS / relative_path).resolve()
    if source.suffix == '.md':
        content[0] = rewrite(content[0], source.parent, Path(app.env.doc2path(parent_name)))


def setup(app: Sphinx) -> dict:
    app.connect('source-read', _read)
    app.connect('include-read', _include)
    return dict(parallel_read_safe=True)
