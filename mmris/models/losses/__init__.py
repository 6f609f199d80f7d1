from .mask_losses import BinaryCrossEntropyLoss, DiceLoss, FocalLoss

__all__ = ['BinaryCrossEntropyLoss', 'DiceLoss', 'FocalLoss']
