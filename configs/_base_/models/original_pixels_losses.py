# EVF-SAM's loss, on the original pixels, for any model whose protocol resamples logits: set model.losses to None and
# model.auxiliary_losses to these, and have the training pipeline pack the masks:
# inputs = dict(steps=dict(pack=dict(phase='train', masks=['gt_original'])))
original_pixels_losses = dict(
    bce=dict(type='OriginalPixelsLoss', loss=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)),
    # The published code divides sums by 1,000 and adds 1e-6, which is a smooth of 1e-3.
    dice=dict(type='OriginalPixelsLoss', loss=dict(type='DiceLoss', loss_weight=1.0, squared=False, smooth=1e-3)))
