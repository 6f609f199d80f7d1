"""mmris: referring image segmentation for the OpenMMLab toolchain."""

from .utils.stack import check_stack

check_stack()

from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402

from .version import __version__  # noqa: E402

# mmengine looks only in packages it knows for `mmris::...` configs and for the `mmris.` scope.
MODULE2PACKAGE.setdefault('mmris', 'mmris')

__all__ = ['__version__']
