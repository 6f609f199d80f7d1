# The baseline at the size of the demo, with an existence head, for sentences that fit nothing or several things.
# Paper: Wang et al., CM-MaskSD, without its branches, in small; the task is that of Liu et al., GRES: Generalized
#   Referring Expression Segmentation, CVPR 2023.
# Data: ShapeRef, made by `mmris make_shaperef --no-target-share 0.2 --several-share 0.2
#   --out data/shaperef_generalised`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-tiny_shaperef_generalised_baseline.py
_base_ = [
    '../_base_/datasets/shaperef_generalised.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/clip_vit-tiny_cris.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
model = dict(
    protocol='rela',
    # One sentence of five has no target.
    existence=dict(type='ExistenceHead', channels=32, sentence_channels=96, loss_weight=1.0, no_target_weight=4.0),
    # Branches mask what the sentence means only if patches and sentences are aligned, as CLIP's pretraining does it.
    auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.1)))
default_hooks = dict(checkpoint=dict(save_best='gIoU'))

# 8 epochs of 750 steps of 8 images.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=6000, T_max=5900, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(max_epochs=8)
