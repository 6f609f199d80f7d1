# Shared-RIS: AdamW, 112 samples a step in all, 35 epochs, cosine decay.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.98), weight_decay=5e-4, fused=True),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='CosineAnnealingLR', begin=0, end=35, T_max=35, eta_min=0, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=35, val_interval=1)
# Batches of 14 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=112)
# BatchNorm of the head needs the samples of all GPUs.
sync_bn = 'torch'
