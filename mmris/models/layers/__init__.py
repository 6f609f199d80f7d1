from .attention import BiAttention, MultiHeadAttention
from .conv import conv_bn_relu, linear_bn_relu
from .fusion import FUSIONS, FusionLayer
from .grid import patches_inside, resize_positions
from .running_statistics import average_running_statistics, keep_running_statistics, restore_running_statistics
from .sine_position import sine_position_1d, sine_position_2d

__all__ = [
    'FUSIONS', 'BiAttention', 'FusionLayer', 'MultiHeadAttention', 'average_running_statistics', 'conv_bn_relu',
    'keep_running_statistics', 'linear_bn_relu', 'patches_inside', 'resize_positions', 'restore_running_statistics',
    'sine_position_1d', 'sine_position_2d'
]
