# DETRIS on DINOv2 ViT-L/14 with registers, as it is trained on three sets: more adapters, and wider ones.
_base_ = './detris_vit-l.py'
model = dict(
    encoder=dict(
        image_adapter_blocks=tuple(range(2, 25)),
        image_adapter_channels=384,
        text_adapter_blocks=tuple(range(2, 13)),
        text_adapter_channels=384))
