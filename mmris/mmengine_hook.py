"""What must be done when MMEngine is imported, by whomever: check the stack, and name the project's configs.

``import mmris`` is light, so that MMEngine is often imported later, by a module of this project or of the user's.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Optional, Sequence

from .stack import check_stack

# The module in which MMEngine looks up packages that have configs, by their scopes.
_PACKAGES = 'mmengine.config.utils'
_SCOPE = 'mmris'


def prepare_mmengine() -> None:
    """Check the stack and register the configs, at once if MMEngine is there, and else when it is first imported.

    Raises:
        ImportError: If MMEngine is there, and the stack is not complete and alone (see
            :func:`~mmris.stack.check_stack`). Otherwise the first import of MMEngine, mmcv or MMSegmentation raises it.
    """
    if _PACKAGES in sys.modules:
        check_stack()
        _register_configs(sys.modules[_PACKAGES])
    elif not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


def _register_configs(packages: ModuleType) -> None:
    """Let MMEngine find ``mmris::...`` configs and the ``mmris.`` scope: it looks in packages that it knows alone."""
    packages.MODULE2PACKAGE.setdefault(_SCOPE, _SCOPE)


class _Watch(MetaPathFinder):
    """Sees each import before other finders do, and finds nothing itself but MMEngine's module of packages."""

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
                  ) -> Optional[ModuleSpec]:
        if name in ('mmengine', 'mmcv', 'mmseg'):
            check_stack()
        if name != _PACKAGES:
            return None
        # Its work ends here; and the others are asked for the module.
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            _register_configs(module)

        spec.loader.exec_module = execute_and_register
        return spec
