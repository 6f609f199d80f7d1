# CM-MaskSD on Swin-B and CLIP's text tower. Swin has no space in common with the sentence: a projection stands for it,
# which begins at random and learns with the neck, so that what the language points to is learned as well.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    encoder=dict(
        taps=None,
        image=dict(
            type='SwinTower',
            swin=dict(arch='base', img_size=384, window_size=12, drop_path_rate=0.3, pad_small_map=True),
            joint_channels=512,
            pretrained='https://mmassets.onedl.ai/mmclassification/v0/swin-transformer/convert/'
            'swin_base_patch4_window12_384_22kto1k-d59b0d1d.pth')),
    neck=dict(in_channels=(256, 512, 512)))
