# CM-MaskSD at the size of the demo, on four fifths of ShapeRef: what `mmris demo` trains.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `mmris make_shaperef`; some 4,800 of 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-tiny_shaperef_demo.py
_base_ = './vit-tiny_shaperef.py'
# Four epochs of some 600 steps, instead of 750.
train_dataloader = dict(dataset=dict(image_share=(0, 0.8)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=2400, T_max=2300, eta_min=1e-5, by_epoch=False),
]
