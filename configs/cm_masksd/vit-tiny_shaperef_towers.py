# First stage of the aligned CM-MaskSD on ShapeRef: the demo's towers, trained for the cosine of patch and sentence.
# Paper: Wang et al., CM-MaskSD, which begins with CLIP's towers, whose patches and sentences are aligned.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: python tools/train.py configs/cm_masksd/vit-tiny_shaperef_towers.py
# Both stages: python tools/train_stages.py configs/cm_masksd/vit-tiny_shaperef_{towers,aligned}.py
_base_ = './vit-tiny_shaperef.py'
work_dir = 'work_dirs/cm_masksd_vit-tiny_shaperef_towers'
model = dict(
    neck=dict(_delete_=True, type='JointSpaceNeck'),
    decoder=None,
    head=dict(_delete_=True, type='CosineHead'),
    losses=dict(
        _delete_=True,
        focal=dict(type='FocalLoss', loss_weight=1.75, alpha=0.65, gamma=2.0),
        dice=dict(type='DiceLoss', loss_weight=1.0)),
    distillation=None)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=1500, T_max=1400, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=2)
