"""Mixed precision, on GPUs and on processors."""

import logging
from contextlib import nullcontext
from typing import ContextManager, Optional

import torch
from mmengine.device import get_device
from mmengine.logging import print_log


def check_precision(precision: str) -> None:
    """Check that this machine computes in a precision, and warn where that is no faster than float32.

    Args:
        precision (str): ``'float16'`` or ``'bfloat16'``, as of ``--amp``.

    Raises:
        ValueError: If it is float16, and there is no GPU.
    """
    if torch.cuda.is_available():
        return
    if precision == 'float16':
        raise ValueError('--amp float16 needs a GPU, and none is visible. Take --amp bfloat16, which processors have '
                         'too, or leave --amp out to compute in float32.')
    if not processor_has_bfloat16():
        print_log(
            'This processor has no instructions for bfloat16 (avx512_bf16 or amx_bf16), so --amp bfloat16 will be '
            'slower than float32.',
            logger='current',
            level=logging.WARNING)


def processor_has_bfloat16() -> bool:
    """Tell whether the processor multiplies in bfloat16. Where PyTorch cannot say, true."""
    supported = getattr(torch.cpu, 'get_capabilities', dict)()
    names = ('avx512_bf16', 'amx_bf16', 'amx_tile', 'bf16', 'sve_bf16', 'arm_bf16')
    known = [supported[name] for name in names if name in supported]
    return any(known) if known else True


def mixed_precision(precision: Optional[str]) -> ContextManager:
    """Autocast on the device that models are on by default.

    Args:
        precision (str, optional): ``'float16'`` or ``'bfloat16'``. None or ``'float32'``: all stays as it is.

    Returns:
        ContextManager: Within it, products of matrices and convolutions are computed in that precision.
    """
    if precision in (None, 'float32'):
        return nullcontext()
    return torch.autocast(get_device(), getattr(torch, precision))
