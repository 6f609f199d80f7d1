# The comparison of ways to mask, on ShapeRef: both branches of CM-MaskSD, whose filters select as many patches and
# words at random.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/random.py
_base_ = './baseline.py'
work_dir = 'work_dirs/masking_random'
model = dict(
    distillation=dict(
        lmvsd=dict(_base_.distillation.lmvsd, correlation_filter=dict(type='RandomFilter', top_k=0.5)),
        vmlsd=dict(_base_.distillation.vmlsd, correlation_filter=dict(type='RandomFilter', top_k=0.5))))
