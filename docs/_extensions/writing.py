"""Files that the site is made of."""

from pathlib import Path


def write_if_changed(path: Path, text: str) -> None:
    """Write a text, unless it stands there: Sphinx reads pages again by the time of their files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding='utf-8') != text:
        path.write_text(text, encoding='utf-8')
