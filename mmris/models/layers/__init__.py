from .adapter import Adapter
from .attention import BiAttention, MultiHeadAttention, attention_matrix
from .conv import conv_bn_relu, linear_bn_relu
from .coordinates import CoordinateConvolutions
from .dense_aligner import DenseBlock, ImageAligner, TextAligner
from .fused_attention import FusedMultiheadAttention, fuse_attention
from .fusion import FUSIONS, FusionLayer
from .gaussian_position import GaussianPosition
from .grid import mask_coverage, mean_inside, patch_grid, patches_inside, resize_positions
from .image_tokens import join_image_tokens, split_image_tokens
from .pixel_word_attention import PixelWordAttention
from .running_statistics import average_running_statistics, keep_running_statistics, restore_running_statistics
from .similarity import cosine_map
from .sine_position import sine_position_1d, sine_position_2d
from .token_ids import check_token_ids
from .two_way_transformer import TwoWayTransformer
from .widths import check_joint_space, check_width

__all__ = [
    'Adapter', 'BiAttention', 'CoordinateConvolutions', 'DenseBlock', 'FUSIONS', 'FusedMultiheadAttention',
    'FusionLayer', 'GaussianPosition', 'ImageAligner', 'MultiHeadAttention', 'PixelWordAttention', 'TextAligner',
    'TwoWayTransformer', 'attention_matrix', 'average_running_statistics', 'check_joint_space', 'check_token_ids',
    'check_width', 'conv_bn_relu', 'cosine_map', 'fuse_attention', 'join_image_tokens', 'keep_running_statistics',
    'linear_bn_relu', 'mask_coverage', 'mean_inside', 'patch_grid', 'patches_inside', 'resize_positions',
    'restore_running_statistics', 'sine_position_1d', 'sine_position_2d', 'split_image_tokens'
]
