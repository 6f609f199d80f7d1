"""The documentation's site, made by Sphinx: ``make docs`` in the folder above."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / '_extensions'), str(DOCS.parent)]

from mmris.version import __version__  # noqa: E402

project, author, release = 'mmris', 'the authors of mmris', __version__
copyright = 'the authors of mmris, Apache-2.0'
extensions = [
    'myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx_copybutton', 'repository_links', 'python_names',
    'command_pages', 'config_pages'
]
exclude_patterns = ['_build', '_extensions']
# Every reference must lead somewhere; `python_names` says which Python names count.
nitpicky = True

myst_enable_extensions = ['colon_fence', 'deflist']
myst_heading_anchors = 4
# The notebook holds what it printed when its test last ran it.
nb_execution_mode = 'off'
suppress_warnings = ['myst.header']

autodoc_default_options = {'members': True, 'show-inheritance': True, 'member-order': 'bysource'}
autodoc_typehints = 'none'
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_preprocess_types = False
napoleon_use_ivar = True
napoleon_custom_sections = [('Metainfo', 'params_style'), ('Data fields', 'params_style')]

html_theme = 'furo'
html_title = f'mmris {release}'
html_theme_options = {'navigation_with_keys': True}
