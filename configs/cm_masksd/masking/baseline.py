# The comparison of ways to mask, on ShapeRef: no masks.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/baseline.py
_base_ = [
    '../../_base_/datasets/shaperef.py',
    '../../_base_/inputs/clip.py',
    '../../_base_/models/clip_vit-tiny_cris.py',
    # The settings of the rows that start from this one.
    '../../_base_/models/masked_distillation.py',
    '../../_base_/models/maskris.py',
    '../../_base_/schedules/adamw_3k.py',
    '../../_base_/default_runtime.py',
]
work_dir = 'work_dirs/masking_baseline'
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
model = dict(encoder=dict(pretrained='work_dirs/masking_towers/epoch_4.pth'))
train_dataloader = dict(dataset=dict(image_share=(0, 0.05)))
# Towers at a tenth of the rate, as CM-MaskSD trains CLIP's.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys={
        'encoder.image': dict(lr_mult=0.1),
        'encoder.text': dict(lr_mult=0.1)
    }))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=3002, T_max=2902, eta_min_ratio=0.01, by_epoch=False),
]
# Of so few images 38 steps are an epoch: 3,002 steps.
train_cfg = dict(max_epochs=79, val_interval=79)
default_hooks = dict(checkpoint=dict(interval=20))
