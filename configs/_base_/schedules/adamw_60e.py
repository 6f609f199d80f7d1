# RISCLIP, each stage: AdamW, 32 samples a step in all, 60 epochs, polynomial decay. Ours (configs/risclip/README.md).
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=5e-5, weight_decay=5e-3, fused=True))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=60, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=60, val_interval=1)
# Batches of 4 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=32)
# BatchNorm of the decoder needs the samples of all GPUs.
sync_bn = 'torch'
