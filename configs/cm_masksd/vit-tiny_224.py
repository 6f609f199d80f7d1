# The demo's architecture at 224 x 224 with logits at a quarter of the input: to fit a handful of photographs.
# Paper: Wang et al., CM-MaskSD, in small.
# Data: any set in RefCOCO's files (SET below). It trains and evaluates on one split, val: its score tells whether all
#   from files to masks is whole, and nothing of generalisation.
# Cost: see README.md beside this file.
# Command: python tools/train.py configs/cm_masksd/vit-tiny_224.py --data-root SET --refs-file 'refs(google).p'
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-tiny.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=224)))
model = dict(encoder=dict(architecture=dict(vision_cfg=dict(image_size=224, patch_size=16))))

# A stream without epochs, which for a handful of images would be a step or less; all sentences in each.
train_dataloader = dict(
    batch_size=12,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(split='val', expressions_per_image=None))
val_dataloader = dict(batch_size=4)
test_dataloader = val_dataloader

# Targets are covered shares of cells, so that a mask's edge lies at a half; at the usual 0.35 it lies outside.
val_evaluator = dict(threshold=0.5)
test_evaluator = dict(threshold=0.5)
test_cfg = dict(splits=dict(_delete_=True, val=dict(split='val')))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, end=600, T_max=550, eta_min=1e-5, by_epoch=False),
]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=600, val_interval=150)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=150), logger=dict(log_metric_by_epoch=False))
log_processor = dict(by_epoch=False)
