# CM-MaskSD, section 4.2: Adam, 32 samples a step in all, 100 epochs, 10 of them warm-up, cosine decay.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-5, weight_decay=5e-4, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=10, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, end=100, T_max=90, eta_min=0, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
# Batches of 4 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=32)
# With few samples a GPU, BatchNorm needs those of all.
sync_bn = 'torch'
