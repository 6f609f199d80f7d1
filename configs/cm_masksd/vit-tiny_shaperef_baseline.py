# The baseline of vit-tiny_shaperef.py: the same model and schedule without distillation.
# Paper: Wang et al., CM-MaskSD, Table 2, first row, in small.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: python tools/train.py configs/cm_masksd/vit-tiny_shaperef_baseline.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/models/clip_vit-tiny_cris.py',
    '../_base_/default_runtime.py',
]
tokenizer = dict(type='CLIPTokenizer', context_length=16)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Letterbox', size=64),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input']),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='Letterbox', size=64),
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, T_max=8, eta_min=1e-5, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=8, val_interval=1)
