# MaIL without masks at the size of the demo, on ShapeRef: what masks are compared with.
# Paper: Li et al., MaIL, in small; a reconstruction (configs/mail/README.md).
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/mail/tiny_shaperef_two-modality.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/mail_tiny_two-modality.py',
    '../_base_/schedules/adamw_1500.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
work_dir = 'work_dirs/mail_tiny_shaperef_two-modality'
