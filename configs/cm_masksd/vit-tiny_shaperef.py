# CM-MaskSD at the size of the demo, on ShapeRef.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: python tools/train.py configs/cm_masksd/vit-tiny_shaperef.py
_base_ = './vit-tiny_shaperef_baseline.py'
model = dict(
    distillation=dict(
        lmvsd=dict(
            type='MaskedVisualDistillation',
            mask_ratio=0.25,
            correlation_filter=dict(type='CorrelationFilter', top_k=0.5),
            loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.75),
            share_weights=True),
        vmlsd=dict(
            type='MaskedLanguageDistillation',
            mask_ratio=0.1,
            correlation_filter=dict(type='CorrelationFilter', top_k=0.5),
            loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.1),
            share_weights=True)))
