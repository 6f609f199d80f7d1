# What stands for CLIP's pretraining in the comparison of ways to mask: towers with a joint space.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 5,700 of 6,000 images in train, none of those of the comparison.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/towers.py
_base_ = [
    '../../_base_/datasets/shaperef.py',
    '../../_base_/inputs/clip.py',
    '../../_base_/models/clip_vit-tiny_cris.py',
    '../../_base_/schedules/adamw_3k.py',
    '../../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
work_dir = 'work_dirs/masking_towers'
train_dataloader = dict(dataset=dict(image_share=(0.05, 1)))
# Patches and sentence are trained for their cosine, as a mask; images and sentences, as CLIP's, for their contrast.
model = dict(
    neck=dict(_delete_=True, type='JointSpaceNeck'),
    decoder=None,
    head=dict(_delete_=True, type='CosineHead'),
    losses=dict(
        _delete_=True,
        focal=dict(type='FocalLoss', loss_weight=1.75, alpha=0.65, gamma=2.0),
        dice=dict(type='DiceLoss', loss_weight=1.0)),
    auxiliary_losses=dict(contrast=dict(type='ImageTextContrastiveLoss', loss_weight=0.1)))
