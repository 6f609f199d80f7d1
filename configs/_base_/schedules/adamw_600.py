# From scratch, for a small model on a handful of photographs: 600 steps, without epochs.
_base_ = './adamw_3k.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=600, T_max=550, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=600, val_interval=150)
