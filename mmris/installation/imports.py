"""Importing packages in a process of their own, which may fail, hang or crash without harm."""

import json
import subprocess
import sys
from typing import Any, Dict, Optional, Sequence

# Says of each package, before and after it is imported, what came of it, a JSON line each; then what torch knows of
# devices, and which scripts have a font.
_PROGRAM = '''
import importlib, json, sys, warnings
warnings.filterwarnings('ignore')
answers = sys.stdout
sys.stdout = sys.stderr
def say(**answer):
    print(json.dumps(answer), file=answers, flush=True)
for name in sys.argv[1:]:
    say(begun=name)
    try:
        importlib.import_module(name)
        say(name=name, error=None)
    except BaseException as error:
        say(name=name, error=f'{type(error).__name__}: {error}'.strip())
torch = sys.modules.get('torch')
if hasattr(torch, 'cuda'):
    say(begun='torch.cuda')
    try:
        there = torch.cuda.is_available()
        gpus = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())] if there else []
        say(cuda=dict(build=torch.version.cuda, available=there, threads=torch.get_num_threads(),
                      gpus=[dict(name=gpu.name, memory=gpu.total_memory) for gpu in gpus]))
    except Exception:
        say(cuda=dict(build=torch.version.cuda, available=False, gpus=[], threads=torch.get_num_threads()))
say(begun='fonts')
try:
    from mmris.visualization.fonts import fonts_of_scripts
    say(fonts=fonts_of_scripts())
except BaseException:
    say(fonts=None)
'''


def import_packages(names: Sequence[str], timeout: float = 300) -> Dict[str, Any]:
    """Import packages, one after the other, and ask torch for devices.

    Args:
        names (Sequence[str]): Names of modules.
        timeout (float): After how many seconds the process is ended. Default: 300.

    Returns:
        dict: ``errors``, by module what its import raised, None if nothing; a module after one that ended the process
        is not in it. ``cuda``, a dict with ``build`` (str or None), ``available`` (bool), ``threads`` (int) and
        ``gpus`` (list of dicts with ``name`` and ``memory`` in bytes); None if torch could not be imported. ``fonts``,
        see :func:`mmris.visualization.fonts.fonts_of_scripts`; None if that could not be imported.
    """
    try:
        done = subprocess.run([sys.executable, '-c', _PROGRAM, *names], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=timeout)
        output, end = done.stdout, f'it ends the interpreter (exit status {done.returncode})'
    except subprocess.TimeoutExpired as expired:
        given = expired.stdout or ''
        output = given.decode() if isinstance(given, bytes) else given
        end = f'it takes more than {timeout:g} seconds'
    errors: Dict[str, Optional[str]] = {}
    begun, cuda, fonts = None, None, None
    for answer in map(json.loads, output.splitlines()):
        # Cleared by the answer to it.
        begun = answer.get('begun')
        if 'name' in answer:
            errors[answer['name']] = answer['error']
        cuda, fonts = answer.get('cuda', cuda), answer.get('fonts', fonts)
    if begun is not None:
        errors[begun] = end
    return dict(errors=errors, cuda=cuda, fonts=fonts)
