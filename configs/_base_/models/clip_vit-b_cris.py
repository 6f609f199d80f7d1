# CRIS's neck, decoder and head on CLIP ViT-B/16: the baseline of CM-MaskSD. 22.50M + 12.63M + 4.79M parameters.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(
        type='ReferringDataPreprocessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.3231631]),
    encoder=dict(type='CLIPEncoder', architecture='ViT-B-16', pretrained='openai', taps=(4, 8, 12)),
    neck=dict(type='CRISNeck', in_channels=(768, 768, 512), sentence_channels=512, out_channels=(256, 512, 1024)),
    decoder=dict(
        type='CRISDecoder',
        channels=512,
        word_channels=512,
        num_layers=3,
        num_heads=8,
        feedforward_channels=2048,
        dropout=0.1),
    head=dict(type='DynamicConvolutionHead', channels=512, sentence_channels=512),
    losses=dict(bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)))
