# CM-MaskSD at the size of the demo, with an existence head, for sentences that fit nothing or several things.
# Paper: Wang et al., CM-MaskSD, in small; the task is that of Liu et al., GRES: Generalized Referring Expression
#   Segmentation, CVPR 2023.
# Data: ShapeRef, made by `mmris make_shaperef --no-target-share 0.2 --several-share 0.2
#   --out data/shaperef_generalised`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-tiny_shaperef_generalised.py
# It begins from vit-tiny_shaperef_generalised_baseline.py, whose towers have an aligned joint space.
_base_ = ['./vit-tiny_shaperef_generalised_baseline.py', '../_base_/models/masked_distillation.py']
model = dict(distillation=_base_.distillation)
load_from = 'work_dirs/vit-tiny_shaperef_generalised_baseline'

# 1 epoch of 750 steps of 8 images.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=750, T_max=700, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=1)
