"""mmris: referring image segmentation for the OpenMMLab toolchain.

Importing it imports nothing heavy. Its modules are registered when a registry first looks for one, as those of every
package under MMEngine, and MMEngine is told of its configs when that is imported: see :mod:`mmris.mmengine_hook`.
"""

import warnings

from .mmengine_hook import prepare_mmengine
from .version import __version__
from .zoo import list_models

prepare_mmengine()
# mmcv without compiled operators says on import to install those. Nothing here needs them.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

__all__ = ['__version__', 'list_models']
