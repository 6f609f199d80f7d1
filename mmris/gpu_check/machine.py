"""What a check ran on, and what its GPU could compute at most."""

import platform
import re
from typing import Any, Dict, Optional

import torch

from mmris.installation.devices import find_driver
from mmris.installation.packages import version_of
from mmris.utils.cpus import usable_cpus
from mmris.utils.machine import machine_name
from mmris.version import __version__

# Dense bfloat16, in TFLOP/s, of NVIDIA's data sheets, by a pattern of the name that torch gives. The first that fits.
_PEAKS = (
    (r'H200 NVL', 835.5),
    (r'GH200|H200', 989.4),
    (r'H100 PCIe', 756.0),
    (r'H100 NVL', 835.5),
    (r'H100', 989.4),
    (r'A100', 312.0),
    (r'L40S', 362.0),
    (r'L4', 121.0),
    (r'A10', 125.0),
    (r'RTX 4090$', 165.2),
    (r'RTX 3090$', 71.0),
)
_PACKAGES = ('torchvision', 'timm', 'open_clip_torch', 'opencv-python', 'numpy', 'onedl-mmengine')


def find_peak(card: str) -> Optional[float]:
    """Look up a card's dense bfloat16 operations.

    Args:
        card (str): Its name, as torch gives it.

    Returns:
        float, optional: TFLOP/s. None for a card that is not in the table.
    """
    found = (peak for pattern, peak in _PEAKS if re.search(rf'\b(?:{pattern})(?!\w)', card))
    return next(found, None)


def describe_machine(*, on_gpu: bool, peak: Optional[float]) -> Dict[str, Any]:
    """Describe what a check runs on.

    Args:
        on_gpu (bool): Whether it runs on the GPU.
        peak (float, optional): The user's TFLOP/s. None: those of the table.

    Returns:
        dict: ``device``, ``card``, ``gpus``, ``memory_gibibytes``, ``driver``, ``torch``, ``cuda``, ``python``,
        ``cores``, ``packages``, ``mmris``, and ``peak_teraflops`` with ``peak_note``, one of which is None.
    """
    driver = find_driver() if on_gpu else None
    card = torch.cuda.get_device_name() if on_gpu else machine_name()
    peak = (peak or find_peak(card)) if on_gpu else None
    return dict(
        device='cuda' if on_gpu else 'cpu',
        card=card,
        gpus=torch.cuda.device_count() if on_gpu else 0,
        memory_gibibytes=torch.cuda.get_device_properties(0).total_memory / 2**30 if on_gpu else None,
        driver=driver.version if driver else None,
        torch=torch.__version__,
        cuda=torch.version.cuda,
        python=platform.python_version(),
        cores=usable_cpus(),
        packages={name: version_of(name) for name in _PACKAGES},
        mmris=__version__,
        peak_teraflops=peak,
        peak_note=None if peak else _explain_no_peak(card, on_gpu))


def _explain_no_peak(card: str, on_gpu: bool) -> str:
    if not on_gpu:
        return 'Shares of the peak are left out: the parts ran on the processor.'
    return (f'Shares of the peak are left out: the dense bfloat16 peak of {card} is not in the table of mmris. '
            f'Give it with --peak TFLOPS.')
