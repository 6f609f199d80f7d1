"""Writers: a set that was read, in the forms that other projects read."""

from .coco import write_coco
from .parquet import write_parquet
from .preparation import prepare_set
from .refer import write_refer

__all__ = ['prepare_set', 'write_coco', 'write_parquet', 'write_refer']
