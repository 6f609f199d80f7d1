"""Errors of a part, as its report has them."""

import gc
import traceback
from typing import Any, Callable, Dict

import torch

# The last lines of a traceback say where it was.
_LINES = 12


def describe_error(error: BaseException) -> Dict[str, Any]:
    """Describe an error: its ``type``, ``message`` and the last lines of its ``traceback``."""
    lines = ''.join(traceback.format_exception(error)).splitlines()
    return dict(type=type(error).__name__, message=str(error), traceback=lines[-_LINES:])


def guarded(about: Dict[str, Any], measure: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    """Make a row of a report, whatever happens.

    Args:
        about (dict): What is measured.
        measure (Callable): Returns the row's other values.

    Returns:
        dict: Both; or ``error`` beside ``about`` if ``measure`` raised. Memory that it held on a GPU is free again.
    """
    try:
        return {**about, **measure()}
    except Exception as error:
        row = {**about, 'error': describe_error(error)}
    # Outside of the block, where nothing holds the frames of the error any more, and their tensors.
    gc.collect()
    if torch.cuda.is_available():
        try:
            torch.cuda.empty_cache()
        except RuntimeError as error:
            row['error']['message'] += f' After it: {error}'
    return row
