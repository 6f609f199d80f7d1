# CM-MaskSD at the size of the demo, on ShapeRef, from towers in which patches and sentences are aligned, as CLIP's are.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: python tools/train.py configs/cm_masksd/vit-tiny_shaperef_aligned.py
# Both stages: python tools/train_stages.py configs/cm_masksd/vit-tiny_shaperef_{towers,aligned}.py
_base_ = './vit-tiny_shaperef.py'
model = dict(encoder=dict(pretrained='work_dirs/cm_masksd_vit-tiny_shaperef_towers'))
