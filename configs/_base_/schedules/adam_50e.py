# CRIS: Adam, 64 samples a step in all, 50 epochs, a tenth of the rate from epoch 35 on. CLIP's towers train at a tenth
# of the rate of what follows them, except for their positions.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, weight_decay=0.0, fused=True),
    paramwise_cfg=dict(
        custom_keys={
            'encoder': dict(lr_mult=0.1),
            'positional_embedding': dict(lr_mult=1.0),
        }))
param_scheduler = [dict(type='MultiStepLR', milestones=[35], gamma=0.1, begin=0, end=50, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
# Batches of 8 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=64)
# BatchNorm needs the samples of all GPUs.
sync_bn = 'torch'
