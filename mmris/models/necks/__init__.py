from .cris_neck import CRISNeck
from .projection_neck import ProjectionNeck
from .pwam_neck import PWAMNeck
from .shared_fpn import SharedFPN

__all__ = ['CRISNeck', 'PWAMNeck', 'ProjectionNeck', 'SharedFPN']
