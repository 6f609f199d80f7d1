# VMLSD alone on ShapeRef, with neck, decoder and head of its own.
# Paper: Wang et al., CM-MaskSD, Table 2, third row, in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/ablations/shaperef_vmlsd.py
_base_ = './shaperef_baseline.py'
model = dict(distillation=dict(vmlsd=dict(_base_.distillation.vmlsd, share_weights=False)))
