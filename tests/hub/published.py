"""Published folders for tests: whole ones, and what a stranger might change in them."""

import json
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.apis import Predictor
from mmris.hub.folder import CONFIG
from mmris.hub.model_card import CardFacts
from mmris.hub.writing import prepare, write_published
from mmris.registry import MODELS
from tests.conftest import tiny_config

SENTENCES = ['the red circle', 'a star on the left']
ORIGIN = 'mmris::cm_masksd/vit-tiny_shaperef.py'


def photograph() -> np.ndarray:
    """``(50, 70, 3)`` random pixels."""
    return np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)


def save_random(config: Config, path: Path) -> Path:
    """A checkpoint of random weights for a config."""
    # Fixtures of a module come before that of the scope.
    init_default_scope('mmris')
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), path)
    return path


def publish_random(folder: Path, config: Optional[Config] = None, *, half: bool = False, **facts: object) -> Path:
    """Publish random weights of a config, and keep the checkpoint beside the folder; the folder."""
    config = tiny_config() if config is None else config
    checkpoint = save_random(config, folder.with_suffix('.pth'))
    card = CardFacts(**{'name': folder.name, 'source': str(folder), **facts})
    write_published(folder, prepare(config, checkpoint, origin=ORIGIN, half=half), card)
    return folder


def edit(folder: Path, change: Callable[[dict], None]) -> Path:
    """Change the config of a published folder; the folder."""
    path = folder / CONFIG
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


class Stranger:
    """A folder to change, and a file that is there only if something of it was run."""

    def __init__(self, folder: Path, original: Path) -> None:
        self.folder, self.marker = folder / 'model', folder / 'it_ran'
        self.folder.mkdir()
        for path in original.iterdir():
            (self.folder / path.name).write_bytes(path.read_bytes())
        self.program = folder / 'program.py'
        self.program.write_text(f'open({str(self.marker)!r}, "w").close()\n')
        self.command = f'touch {self.marker}'

    def set(self, place: str, value: Any) -> None:
        """Set a value of the config by its dotted place."""

        def change(content: Any) -> None:
            *parents, last = place.split('.')
            for name in parents:
                content = content[int(name)] if isinstance(content, list) else content[name]
            content[last] = value

        edit(self.folder, change)

    def write(self, text: str) -> None:
        (self.folder / 'config.json').write_text(text)

    def text(self) -> str:
        return (self.folder / 'config.json').read_text()

    def refuse(self, *said: str, error: type = ValueError) -> str:
        """Check that the folder is refused, and nothing of it was run; the message."""
        with pytest.raises(error) as raised:
            Predictor.from_pretrained(str(self.folder), device='cpu')
        message = str(raised.value)
        for part in (str(self.folder), *said):
            assert part in message, message
        assert not self.marker.exists()
        return message
