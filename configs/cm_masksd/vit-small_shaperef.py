# CM-MaskSD on ShapeRef, properly trained: the weights cm-masksd-shaperef, which the package ships.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-small_shaperef.py
# It begins from vit-small_shaperef_baseline.py, whose towers have an aligned joint space.
_base_ = ['./vit-small_shaperef_baseline.py', '../_base_/models/masked_distillation.py']
model = dict(distillation=_base_.distillation)
load_from = 'work_dirs/vit-small_shaperef_baseline'

# 2 epochs of 750 steps of 8 images.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=1500, T_max=1450, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=2)
