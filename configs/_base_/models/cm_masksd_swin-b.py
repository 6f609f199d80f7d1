# CM-MaskSD on timm's Swin-B and CLIP's text tower. Swin has no space in common with the sentence: a projection stands
# for it, which begins at random and learns with the neck, so that what the language points to is learned as well.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    encoder=dict(
        taps=None,
        image=dict(
            type='TimmTower',
            model='swin_base_patch4_window12_384',
            options=dict(drop_path_rate=0.3),
            pretrained='ms_in22k_ft_in1k')),
    neck=dict(in_channels=(256, 512, 512)))
