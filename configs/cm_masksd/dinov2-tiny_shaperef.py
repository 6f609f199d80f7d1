# CM-MaskSD at the size of the demo, on ShapeRef, with DINOv2's ViT with registers out of timm as the image tower.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/dinov2-tiny_shaperef.py
_base_ = './vit-tiny_shaperef.py'
model = dict(
    encoder=dict(
        taps=None,
        image=dict(
            type='TimmTower',
            model='vit_small_patch14_reg4_dinov2',
            options=dict(patch_size=8, embed_dim=64, depth=3, num_heads=2),
            image_size=64)))
