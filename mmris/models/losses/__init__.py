from .mask_losses import BinaryCrossEntropyLoss, DiceLoss, FocalLoss
from .mask_selection_loss import MaskSelectionLoss

__all__ = ['BinaryCrossEntropyLoss', 'DiceLoss', 'FocalLoss', 'MaskSelectionLoss']
