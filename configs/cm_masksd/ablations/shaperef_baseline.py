# The baseline on ShapeRef, at the size of the demo with half its steps.
# Paper: Wang et al., CM-MaskSD, Table 2, first row, in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/ablations/shaperef_baseline.py
_base_ = [
    '../../_base_/datasets/shaperef.py',
    '../../_base_/inputs/clip.py',
    '../../_base_/models/clip_vit-tiny_cris.py',
    # Its settings, for the rows that start from this one.
    '../../_base_/models/masked_distillation.py',
    '../../_base_/schedules/adamw_1500.py',
    '../../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
# As in the demo, in all rows: the branches need a joint space that is aligned.
model = dict(auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.1)))
