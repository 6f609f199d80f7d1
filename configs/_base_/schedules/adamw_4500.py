# From scratch, for a small model on ShapeRef: 6 epochs of 750 steps of 8 images.
_base_ = './adamw_3k.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=4500, T_max=4400, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=6)
