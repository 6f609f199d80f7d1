"""Models out of PyTorch: graphs of ONNX in a folder, which :mod:`mmris.runtime` runs without it."""

from importlib.util import find_spec

from mmris.stack import check_stack

check_stack()
_MISSING = [name for name in ('onnx', 'onnxruntime', 'onnxscript') if find_spec(name) is None]
if _MISSING:
    raise ImportError(f'Exporting a model needs {", ".join(_MISSING)}, which is not installed. Install it: '
                      f'pip install "mmris[maintained,export]"')

from .agreement import COUNTS, compare_logits, mask_ious  # noqa: E402
from .exporting import export_model, form_size  # noqa: E402
from .goal import check_goal  # noqa: E402

__all__ = ['COUNTS', 'check_goal', 'compare_logits', 'export_model', 'form_size', 'mask_ious']
