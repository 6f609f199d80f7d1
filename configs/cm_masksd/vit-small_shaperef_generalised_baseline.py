# The baseline that vit-small_shaperef_generalised.py begins from: neither branch, but an aligned joint space and an
# existence head, for sentences that fit nothing or several things.
# Paper: Wang et al., CM-MaskSD, without its branches, in small; the task is that of Liu et al., GRES: Generalized
#   Referring Expression Segmentation, CVPR 2023.
# Data: ShapeRef with 18,000 images in train, of its sentences 20 % without a target and 20 % with several:
#     mmris make_shaperef --train 18000 --no-target-share 0.2 --several-share 0.2 \
#         --out data/shaperef_generalised
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-small_shaperef_generalised_baseline.py
_base_ = [
    '../_base_/datasets/shaperef_generalised.py',
    '../_base_/models/clip_vit-small_cris.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(
    tokenizer=dict(type='WordTokenizer', context_length=16, vocabulary='shaperef_full'),
    views=dict(main=dict(type='Letterbox', size=80)))
model = dict(
    protocol='rela',
    encoder=dict(architecture=dict(text_cfg=dict(context_length=16, vocab_size=72))),
    # One sentence of five has no target. With 4, both answers would count alike; the head would reject too much.
    existence=dict(type='ExistenceHead', channels=48, sentence_channels=128, no_target_weight=2.7),
    auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.1)))
default_hooks = dict(checkpoint=dict(save_best='gIoU'))

# 1 epoch of 2,250 steps of 8 images.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=200, end=2250, T_max=2050, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=1)
