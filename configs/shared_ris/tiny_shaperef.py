# Shared-RIS at the size of the demo, on ShapeRef.
# Paper: Shared-RIS (configs/shared_ris/README.md), in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/shared_ris/tiny_shaperef.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/shared_ris_beit3-tiny.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
