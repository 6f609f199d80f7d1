# EVF-SAM: AdamW, 128 images a step in all, 15,000 steps, the first 100 of them warm-up, linear decay. Of betas, decay,
# warm-up and clipping the paper is silent; they are LISA's, whose training code EVF-SAM's author points to.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    clip_grad=dict(max_norm=1.0),
    accumulative_counts=2)
# An epoch is 125 steps: 16,000 images (draws=16000 of the sampler, in the configs).
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=0.8, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        begin=0.8,
        end=120,
        by_epoch=True,
        convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=120, val_interval=8)
# Batches of 16 on 4 GPUs, two of them a step.
auto_scale_lr = dict(enable=False, base_batch_size=128)
