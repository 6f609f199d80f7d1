# DETRIS on DINOv2 ViT-B/14 with registers and CLIP's text tower. Both are frozen: adapters, neck, decoder and head are
# trained.
model = dict(
    type='ReferringSegmentor',
    # CLIP's mean and deviation, also for DINOv2.
    data_preprocessor=dict(
        type='ReferringDataPreprocessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.3231631]),
    encoder=dict(
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
    neck=dict(type='ETRISNeck', in_channels=(768, 768, 768), sentence_channels=512, channels=512),
    decoder=dict(
        type='CRISDecoder',
        channels=512,
        word_channels=512,
        num_layers=3,
        num_heads=8,
        feedforward_channels=512,
        dropout=0.1),
    head=dict(type='DynamicConvolutionHead', channels=512, sentence_channels=512),
    losses=dict(bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)))
