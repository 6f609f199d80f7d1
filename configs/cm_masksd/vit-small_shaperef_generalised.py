# CM-MaskSD in small, with an existence head, for sentences that fit nothing or several things.
# Paper: Wang et al., CM-MaskSD, in small; the task is that of Liu et al., GRES: Generalized Referring Expression
#   Segmentation, CVPR 2023.
# Data: as for vit-small_shaperef_generalised_baseline.py, from which it begins: its towers have an aligned joint space.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-small_shaperef_generalised.py
_base_ = ['./vit-small_shaperef_generalised_baseline.py', '../_base_/models/masked_distillation.py']
model = dict(distillation=_base_.distillation)
load_from = 'work_dirs/vit-small_shaperef_generalised_baseline'

# About 280 steps of 8 images.
train_dataloader = dict(dataset=dict(image_share=(0, 0.125)))
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=280, T_max=230, eta_min=1e-5, by_epoch=False),
]
