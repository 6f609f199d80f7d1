"""mmris: referring image segmentation for the OpenMMLab toolchain."""

import warnings

from .stack import check_stack

check_stack()
# mmcv without compiled operators says on import to install those. Nothing here needs them.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

from .utils.resources import register_configs  # noqa: E402
from .version import __version__  # noqa: E402
from .zoo import list_models  # noqa: E402

register_configs()

__all__ = ['__version__', 'list_models']
