# The comparison of ways to mask, on ShapeRef: CM-MaskSD, both masks.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/both.py
_base_ = './baseline.py'
work_dir = 'work_dirs/masking_both'
model = dict(distillation=_base_.distillation)
