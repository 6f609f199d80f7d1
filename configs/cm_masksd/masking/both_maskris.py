# The comparison of ways to mask, on ShapeRef: CM-MaskSD and MaskRIS beside it, at the weight of the main loss.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/both_maskris.py
_base_ = './baseline.py'
work_dir = 'work_dirs/masking_both_maskris'
model = dict(
    distillation=dict(
        **_base_.distillation,
        maskris=dict(
            _base_.maskris,
            image=dict(_base_.maskris.image, block=8),
            learned_mask=True,
            loss=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0))))
