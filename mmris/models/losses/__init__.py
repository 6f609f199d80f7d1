from .image_text_contrastive_loss import ImageTextContrastiveLoss
from .mask_losses import BinaryCrossEntropyLoss, DiceLoss, FocalLoss
from .mask_selection_loss import MaskSelectionLoss
from .original_pixels_loss import OriginalPixelsLoss
from .patch_text_alignment_loss import PatchTextAlignmentLoss

__all__ = [
    'BinaryCrossEntropyLoss', 'DiceLoss', 'FocalLoss', 'ImageTextContrastiveLoss', 'MaskSelectionLoss',
    'OriginalPixelsLoss', 'PatchTextAlignmentLoss'
]
