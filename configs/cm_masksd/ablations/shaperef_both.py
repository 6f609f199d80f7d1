# Both branches on ShapeRef, sharing neck, decoder and head with the main branch.
# Paper: Wang et al., CM-MaskSD, Table 2, last row, in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/ablations/shaperef_both.py
_base_ = './shaperef_baseline.py'
model = dict(distillation=_base_.distillation)
