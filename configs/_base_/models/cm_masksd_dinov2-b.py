# CM-MaskSD on DINOv2 ViT-B/14 with registers and CLIP's text tower. DINOv2 has no space in common with the sentence: a
# projection stands for it, which begins at random and learns with the neck.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    encoder=dict(
        taps=None,
        image=dict(type='TimmTower', model='vit_base_patch14_reg4_dinov2', pretrained='lvd142m', taps=(4, 8, 12))))
