"""Writers: a set that was read, in the forms that other projects read."""

from .coco import write_coco
from .preparation import prepare_set
from .refer import write_refer

__all__ = ['prepare_set', 'write_coco', 'write_refer']
