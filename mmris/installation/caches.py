"""Where downloaded weights are kept."""

import os
import shutil
from pathlib import Path

from mmris.utils.sizes import in_words
from mmris.zoo import cache_folder

from .report import Section

# Below this many bytes free, the next download fails: weights have some hundred megabytes to some gigabytes.
_LITTLE = 10**9


def hub_folder() -> Path:
    """The cache of the Hugging Face hub's client, by the client's own rules."""
    home = os.environ.get('HF_HOME', os.path.join(os.environ.get('XDG_CACHE_HOME', '~/.cache'), 'huggingface'))
    named = os.environ.get('HUGGINGFACE_HUB_CACHE', os.path.join(home, 'hub'))
    named = os.environ.get('HF_HUB_CACHE', named)
    return Path(os.path.expandvars(named)).expanduser()


def examine_caches() -> Section:
    """Look at the folders of weights: size, free disk, and whether they can be written."""
    section = Section('Caches')
    places = {
        'Hugging Face hub': (hub_folder(), 'HF_HOME'),
        'files put by hand': (cache_folder(), 'MMRIS_CACHE'),
    }
    for name, (folder, variable) in places.items():
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        size = in_words(_size(folder)) if folder.is_dir() else 'not made yet'
        free = shutil.disk_usage(there).free
        section.facts[name] = f'{folder}: {size}, {in_words(free)} free'
        other = f'Let {variable} name another folder.'
        if not there.is_dir():
            section.blame(f'The cache {folder} cannot be made: {there} is a file, no folder.', other)
        elif not os.access(there, os.W_OK | os.X_OK):
            section.blame(f'The cache {folder} cannot be written: nothing may be written to {there}.',
                          f'Change who may write there (`ls -ld {there}` shows it). {other}')
        elif free < _LITTLE:
            section.blame(f'The disk of the cache {folder} is almost full: {in_words(free)} are free.',
                          f'Make room for weights, which have up to some gigabytes. {other}')
    return section


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; links are not followed, because the hub's cache links to its own files."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                # Gone since it was listed.
                continue
    return total
