# LAVT at the size of the demo, on ShapeRef: from scratch.
# Paper: Yang et al., LAVT: Language-Aware Vision Transformer for Referring Image Segmentation, CVPR 2022.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/lavt/tiny_shaperef.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/lavt_tiny.py',
    '../_base_/schedules/adamw_4500.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
work_dir = 'work_dirs/lavt_tiny_shaperef'

# At the usual 2e-3 it does not leave the beginning, where all masks are alike, for a thousand steps.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
