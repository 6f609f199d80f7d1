# LAVT: AdamW, 32 samples a step in all, 40 epochs, polynomial decay without warm-up.

# The published optimiser does not hold BERT's embeddings and its last two layers. They stay as pretrained, though their
# dropout runs. Nobody studied it. Leave this block out of custom_keys to train all.
left_out = {
    name: dict(lr_mult=0.0, decay_mult=0.0)
    for name in ('encoder.text.word_embedding', 'encoder.text.positions', 'encoder.text.types', 'encoder.text.norm.',
                 'encoder.text.layers.10.', 'encoder.text.layers.11.')
}
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-5, weight_decay=1e-2, fused=True),
    paramwise_cfg=dict(
        # Swin's norms and its tables of positions do not decay; those of BERT and of the decoder do.
        norm_decay_mult=0.0,
        custom_keys={
            'relative_position_bias_table': dict(decay_mult=0.0),
            'encoder.text': dict(decay_mult=1.0),
            'decoder': dict(decay_mult=1.0),
            **left_out,
        }))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=40, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=1)
# Batches of 4 on 8 GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=32)
# BatchNorm of the decoder needs the samples of all GPUs.
sync_bn = 'torch'
