# RISCLIP at the size of the demo, on ShapeRef: second stage, the decoder.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP).
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/risclip/vit-tiny_shaperef_stage2.py
# All three: mmris train_stages configs/risclip/vit-tiny_shaperef_{towers,stage1,stage2}.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/risclip_vit-tiny_decoder.py',
    '../_base_/schedules/adamw_1500.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
# Its best checkpoint.
load_from = 'work_dirs/vit-tiny_shaperef_stage1'

# 1 epoch of 1,500 steps of 4 images.
train_cfg = dict(max_epochs=1)
auto_scale_lr = dict(base_batch_size=4)
train_dataloader = dict(batch_size=4)
