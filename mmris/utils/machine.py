"""What a measurement was made on."""

import platform
from pathlib import Path

import torch


def machine_name() -> str:
    """The GPU's name, or the processor's with the number of threads used."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line.partition(':')[2].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
             if line.startswith('model name')] if Path('/proc/cpuinfo').is_file() else []
    return f'{(names or [platform.machine()])[0]}, {torch.get_num_threads()} thread(s)'
