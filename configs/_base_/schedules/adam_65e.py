# DETRIS: Adam, 32 samples a step in all, 65 epochs, a tenth of the rate from epoch 35 and from epoch 55 on.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, weight_decay=0.0, fused=True))
param_scheduler = [dict(type='MultiStepLR', milestones=[35, 55], gamma=0.1, begin=0, end=65, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=65, val_interval=1)
# Batches of 4 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=32)
# BatchNorm needs the samples of all GPUs.
sync_bn = 'torch'
