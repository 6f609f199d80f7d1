# CM-MaskSD on a BEiT-3 at the size of the demo, on ShapeRef.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/beit3-tiny_shaperef.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_beit3-tiny.py',
    '../_base_/schedules/adamw_3k.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=16), views=dict(main=dict(size=64)))
# As in vit-tiny_shaperef.py: the branches need patches and sentences that are aligned.
model = dict(auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.1)))
