"""mmris: referring image segmentation for the OpenMMLab toolchain."""

from .stack import check_stack

check_stack()

from .utils.resources import register_configs  # noqa: E402
from .version import __version__  # noqa: E402
from .zoo import list_models  # noqa: E402

register_configs()

__all__ = ['__version__', 'list_models']
