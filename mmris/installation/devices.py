"""What models can run on."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from mmris.utils.cpus import usable_cpus

from .report import Section

_BUILDS = 'https://pytorch.org/get-started/locally'


class Driver(NamedTuple):
    """What NVIDIA's driver says.

    Attributes:
        gpus (tuple[str]): Names of the GPUs.
        version (str): Its version.
        cuda (str, optional): The newest CUDA that it can run, such as ``'12.4'``. None if it does not say.
    """

    gpus: Tuple[str, ...]
    version: str
    cuda: Optional[str]


def find_driver() -> Optional[Driver]:
    """Ask NVIDIA's driver for its GPUs; None if there is no driver, or it does not work."""
    listed = _ask('--query-gpu=name,driver_version', '--format=csv,noheader')
    rows = [line.rpartition(', ') for line in listed.splitlines()]
    rows = [(name, version) for name, comma, version in rows if comma]
    if not rows:
        return None
    newest = re.search(r'CUDA Version: *([0-9.]+)', _ask())
    return Driver(tuple(name for name, _ in rows), rows[0][1], newest and newest[1])


def _ask(*options: str) -> str:
    """What ``nvidia-smi`` prints; nothing if it is not there or fails."""
    if shutil.which('nvidia-smi') is None:
        return ''
    try:
        done = subprocess.run(['nvidia-smi', *options], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return '' if done.returncode else done.stdout


def examine_devices(cuda: Optional[Mapping[str, Any]], driver: Optional[Driver]) -> Section:
    """Look at processor and GPUs.

    Args:
        cuda (Mapping, optional): What torch knows, of :func:`.imports.import_packages`. None: it was not imported.
        driver (Driver, optional): What the driver says. None: there is none.

    Returns:
        Section: Devices; GPUs that torch cannot use, and why.
    """
    section = Section('Devices', {'processor': f'{_processor()}, {usable_cpus()} usable'})
    if cuda is None:
        section.facts['GPU'] = 'not known, since torch cannot be imported'
        return section
    section.facts['threads of torch'] = str(cuda['threads'])
    section.facts['CUDA of torch'] = cuda['build'] or 'built without CUDA'
    if driver is not None:
        section.facts['driver'] = f'{driver.version}, for CUDA up to {driver.cuda or "not known"}'
    for number, gpu in enumerate(cuda['gpus']):
        section.facts[f'GPU {number}'] = f'{gpu["name"]}, {gpu["memory"] / 2**30:.1f} GiB'
    if not cuda['gpus']:
        section.facts['GPU'] = 'none: models run on the processor'
    if driver is not None and not cuda['available']:
        _blame_gpus(section, cuda['build'], driver)
    return section


def _blame_gpus(section: Section, build: Optional[str], driver: Driver) -> None:
    """Say why torch does not use GPUs that are there."""
    names = ', '.join(driver.gpus)
    if os.environ.get('CUDA_VISIBLE_DEVICES', '0').strip() in ('', '-1'):
        section.facts['GPU'] = f'{names}: hidden by CUDA_VISIBLE_DEVICES'
    elif build is None:
        section.blame(f'torch is built without CUDA and does not use {names}.',
                      f'Install a build with CUDA: {_BUILDS}.')
    elif driver.cuda is not None and _major(driver.cuda) < _major(build):
        section.blame(
            f'torch is built for CUDA {build} and does not use {names}, whose driver {driver.version} runs CUDA '
            f'{driver.cuda} at most.', f'Update the driver, or install torch for CUDA {driver.cuda}: {_BUILDS}.')
    else:
        section.blame(f'torch does not see {names}, though the driver does.',
                      'Read what `python -c "import torch; torch.cuda.init()"` says.')


def _major(version: str) -> int:
    """The part of CUDA's version that a driver must have reached."""
    return int(version.partition('.')[0])


def _processor() -> str:
    """The processor's name."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    named: Dict[str, str] = {line.partition(':')[0].strip(): line.partition(':')[2].strip() for line in lines}
    return named.get('model name') or platform.processor() or platform.machine()
