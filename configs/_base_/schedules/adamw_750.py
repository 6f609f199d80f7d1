# As adamw_3k.py in a quarter of the steps: 1 epoch of 750 steps of 8 images.
_base_ = './adamw_3k.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=750, T_max=700, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=1)
