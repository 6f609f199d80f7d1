# The comparison of ways to mask, on ShapeRef: CM-MaskSD's masks of patches.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/lmvsd.py
_base_ = './baseline.py'
work_dir = 'work_dirs/masking_lmvsd'
model = dict(distillation=dict(lmvsd=_base_.distillation.lmvsd))
