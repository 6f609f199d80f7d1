# The baseline that vit-small_shaperef.py begins from: neither branch, but an aligned joint space.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef with 24,000 images in train:
#     mmris make_shaperef --train 24000 --out data/shaperef-24k
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-small_shaperef_baseline.py --data-root data/shaperef-24k
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/models/clip_vit-small_cris.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(
    tokenizer=dict(type='WordTokenizer', context_length=12, vocabulary='shaperef'),
    views=dict(main=dict(type='Letterbox', size=80)))
model = dict(auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.1)))

# 5 epochs of 3,000 steps of 8 images.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=300, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=300, end=15000, T_max=14700, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=5)
# Targets are covered shares of cells, so an edge lies at a half.
val_evaluator = dict(threshold=0.5)
test_evaluator = dict(threshold=0.5)
