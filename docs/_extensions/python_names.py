"""Python names in docstrings: each must exist.

Those that the site documents become links. Others, of internal modules and other libraries, are shown as code if they
can be imported. Names without a dot, such as types in ``Args``, are shown as they are.
"""

import importlib
from functools import cache
from typing import Optional

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ALIASES = dict(np='numpy', nn='torch.nn')


def _resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Node) -> Optional[nodes.Node]:
    if node.get('refdomain') != 'py':
        return None
    target = node['reftarget']
    if target.startswith('.'):
        target = f'{node.get("py:module") or "mmris"}{target}'
    beginnings = ('', f'{node.get("py:module")}.', f'{node.get("py:module")}.{node.get("py:class")}.')
    if ('.' not in target and node['reftype'] in ('class', 'obj', 'exc')) or any(
            exists(beginning + target) for beginning in beginnings):
        return contnode
    return None


@cache
def exists(name: str) -> bool:
    """Whether a dotted name leads to an object of Python."""
    first, _, rest = name.partition('.')
    parts = [*ALIASES.get(first, first).split('.'), *(rest.split('.') if rest else [])]
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:count]))
        except Exception:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def setup(app: Sphinx) -> dict:
    app.connect('missing-reference', _resolve)
    return dict(parallel_read_safe=True)
