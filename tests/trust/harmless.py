"""What libraries do that looks like a violation and is none, each by name and with its reason."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple


@dataclass(frozen=True)
class Harmless:
    """Something that a library may do.

    Attributes:
        events (tuple[str]): What it does, as Python calls it.
        begins (str): How its subject begins.
        by (str): A part of the file that does it, which is among the innermost calls.
        reason (str): Why it is harmless.
        depth (int): How many of the innermost calls are looked at. Default: 3.
    """

    events: Tuple[str, ...]
    begins: str
    by: str
    reason: str
    depth: int = 3

    def fits(self, event: str, what: str, frames: Sequence[Tuple[str, int, str]]) -> bool:
        """Whether this is it."""
        return event in self.events and what.startswith(self.begins) and any(
            self.by in path for path, _, _ in frames[:self.depth])


PROCESS = ('subprocess.Popen', )
HARMLESS: List[Harmless] = [
    Harmless(PROCESS, "'fc-list'", 'matplotlib/font_manager.py', 'lists the fonts of the system', depth=8),
    Harmless(('os.mkdir', ), '/', 'matplotlib/__init__.py', 'makes the folder of its own settings'),
    Harmless(PROCESS, "'/bin/sh' ['/bin/sh', '-c', 'gcc --version']", 'mmengine/utils/dl_utils/collect_env.py',
             'asks for the compiler, for the log of a training', depth=8),
    Harmless(PROCESS, "'git' ['git', 'rev-parse', 'HEAD']", 'mmengine/utils/version_utils.py',
             'asks for the commit of the work folder, for the log of a training', depth=8),
    Harmless(('exec', ), '<string>', 'inspect.py', 'evaluates annotations that an installed module has as text',
             depth=1),
    Harmless(('pickle.find_class', ), '', 'multiprocessing/', 'takes batches of the data workers of the same training',
             depth=6),
]
"""In every process."""

OF_CONFIGS: List[Harmless] = [
    Harmless(('exec', ), '', 'mmengine/config/config.py', 'evaluates `_base_` of a config', depth=1),
]
"""Where configs may run."""
