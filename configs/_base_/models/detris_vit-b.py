# DETRIS on DINOv2 ViT-B/14 with registers and CLIP's text tower. Both are frozen: adapters, neck, decoder and head are
# trained. Images have CLIP's mean and deviation, also for DINOv2. Decoder and head are CRIS's.
_base_ = './clip_vit-b_cris.py'
model = dict(
    encoder=dict(
        _delete_=True,
        type='DETRISEncoder',
        architecture='ViT-B-16',
        pretrained='openai',
        image=dict(
            type='DINOv2Tower',
            architecture='base',
            taps=(5, 9, 12),
            pretrained='https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth'),
        image_adapter_blocks=(2, 4, 6, 8, 10, 12),
        image_adapter_channels=128,
        text_adapter_blocks=(2, 4, 6, 8, 10, 12),
        text_adapter_channels=64,
        attention_channels=128,
        attention_heads=8,
        dropout=0.1,
        text_length=17),
    frozen=['encoder.image', 'encoder.text'],
    neck=dict(_delete_=True, type='ETRISNeck', in_channels=(768, 768, 768), sentence_channels=512, channels=512),
    decoder=dict(feedforward_channels=512))
