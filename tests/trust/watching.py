"""A plugin of pytest that watches mmris while its tests read files: ``pytest -p tests.trust.watching``.

So each layout of weights and each form of data is watched whose reader has a test. Environment: ``MMRIS_TEST_SCENE``,
the folder of a :class:`~tests.trust.scene.Scene`.
"""

import json
import os
from pathlib import Path
from typing import Any, Callable, Set

import pytest

from tests.trust.audit import Audit
from tests.trust.scene import Scene

SCENE = 'MMRIS_TEST_SCENE'
# These say themselves that a file is to be trusted: what that file says is run.
TRUSTING = ('trust', 'test_a_file_that_holds_more_than_tensors')


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen, and to note what is read."""
    scene = Scene(Path(os.environ[SCENE]))
    watcher = Watcher(scene, Audit(scene.log, writable=scene.writable, configs=True,
                                   of_mmris=True))
    config.pluginmanager.register(watcher)


class Watcher:
    """Arms the hook for each test, but those that trust a file."""

    def __init__(self, scene: Scene, audit: Audit) -> None:
        self._scene, self._audit = scene, audit
        self._read: Set[str] = set()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Watch a test."""
        self._audit.armed = not any(one in item.originalname for one in TRUSTING)
        yield
        self._audit.armed = False

    def pytest_collection_finish(self) -> None:
        """Note by name which forms and layouts are read from here on."""
        from mmris.checkpoints.published.key_map import KeyMap
        from mmris.datasets.readers.forms import FORMS

        for form in FORMS.values():
            object.__setattr__(form, 'read', self._noting(form.name, form.read))
        to_ours = KeyMap.to_ours
        KeyMap.to_ours = lambda self_, *given: self._noting(self_.name, to_ours)(self_, *given)

    def _noting(self, name: str, read: Callable) -> Callable:

        def noted(*given: Any) -> Any:
            self._read.add(name)
            return read(*given)

        return noted

    def pytest_sessionfinish(self) -> None:
        """Say what was read."""
        (self._scene.folder / 'read.json').write_text(json.dumps(sorted(self._read)))

