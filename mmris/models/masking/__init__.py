from .random_block_mask import RandomBlockMask, hide_blocks
from .random_word_mask import RandomWordMask

__all__ = ['RandomBlockMask', 'RandomWordMask', 'hide_blocks']
