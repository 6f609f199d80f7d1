"""Environment variables that change what mmris does."""

import os

from .report import Section

# By their names: what they do. The value of a secret is not shown.
VARIABLES = {
    'OMP_NUM_THREADS': 'threads of torch and NumPy',
    'CUDA_VISIBLE_DEVICES': 'GPUs that torch sees',
    'HF_HUB_OFFLINE': 'if 1, nothing is downloaded from the Hugging Face hub',
    'HF_ENDPOINT': 'the hub that is asked in place of huggingface.co',
    'HF_HOME': 'folder of the Hugging Face caches',
    'HF_HUB_CACHE': 'cache of the hub',
    'HF_TOKEN': 'who you are on the hub',
    'HF_HUB_ETAG_TIMEOUT': 'seconds to wait for the hub',
    'MMRIS_CACHE': 'folder of weights that you put there by hand',
    'MMRIS_DEBUG': 'if not 0, errors show their traceback',
    'XDG_CACHE_HOME': 'folder of all caches',
    'PYTHONPATH': 'folders that come before installed packages',
    'HTTPS_PROXY': 'proxy of downloads',
}
_SECRET = ('HF_TOKEN', )
_COUNTS = ('OMP_NUM_THREADS', )


def examine_environment() -> Section:
    """Look at the variables that are set."""
    section = Section('Environment variables')
    for name, meaning in VARIABLES.items():
        value = os.environ.get(name)
        if value is None:
            continue
        shown = 'set' if name in _SECRET else value or 'empty'
        section.facts[name] = f'{shown} ({meaning})'
        if name in _COUNTS and not all(part.strip().isdecimal() and int(part) > 0 for part in value.split(',')):
            section.blame(f'{name} is {value!r}, but a number of threads from 1 on is expected.',
                          f'Unset it, or set a number: `export {name}=4`.')
    if not section.facts:
        section.facts['none'] = 'none of those that change what mmris does is set'
    return section
