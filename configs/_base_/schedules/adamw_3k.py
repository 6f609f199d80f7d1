# From scratch, for a small model on ShapeRef: 4 epochs of 750 steps of 8 images.
optim_wrapper = dict(
    type='OptimWrapper',
    # Fused: one pass over the word embeddings, most of which no step touches.
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01, fused=True),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=3000, T_max=2900, eta_min=1e-5, by_epoch=False),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=1)
