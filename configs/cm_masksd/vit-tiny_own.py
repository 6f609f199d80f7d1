# A small CM-MaskSD from scratch at 224 x 224, to try data of your own without a GPU or pretrained weights.
# Paper: Wang et al., CM-MaskSD, in small.
# Data: what `mmris convert_dataset` wrote to data/own, with splits train and val; see docs/own_data.md.
#   It can learn some dozens of objects by heart, but not what new photographs show: take vit-b_own.py for that.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-tiny_own.py
_base_ = [
    '../_base_/datasets/own.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-tiny.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=224)))
model = dict(encoder=dict(architecture=dict(vision_cfg=dict(image_size=224, patch_size=16))))
# 6 epochs of 100 steps.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=600, T_max=550, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=6)
# Targets are covered shares of cells, so that a mask's edge lies at a half; at the usual 0.35 it lies outside.
val_evaluator = dict(threshold=0.5)
test_evaluator = dict(threshold=0.5)
