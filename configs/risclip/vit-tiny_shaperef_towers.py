# RISCLIP at the size of the demo, on ShapeRef: the towers.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP).
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/risclip/vit-tiny_shaperef_towers.py
# There are no weights of so small a CLIP: its towers are first trained here, on the same data, for the cosine of patch
# and sentence, and frozen afterwards.
# All three: mmris train_stages configs/risclip/vit-tiny_shaperef_{towers,stage1,stage2}.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/clip_vit-tiny.py',
    '../_base_/schedules/adamw_1500.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
