from .cris_neck import CRISNeck
from .etris_neck import ETRISNeck
from .joint_space_neck import JointSpaceNeck
from .projection_neck import ProjectionNeck
from .prompt_neck import PromptNeck
from .pwam_neck import PWAMNeck
from .shared_fpn import SharedFPN

__all__ = ['CRISNeck', 'ETRISNeck', 'JointSpaceNeck', 'PWAMNeck', 'ProjectionNeck', 'PromptNeck', 'SharedFPN']
