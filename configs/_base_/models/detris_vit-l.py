# DETRIS on DINOv2 ViT-L/14 with registers.
_base_ = './detris_vit-b.py'
model = dict(
    encoder=dict(
        image=dict(
            architecture='large',
            taps=(9, 17, 24),
            pretrained='https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_reg4_pretrain.pth'),
        image_adapter_blocks=(3, 7, 11, 15, 19, 23)),
    neck=dict(in_channels=(1024, 1024, 1024)))
