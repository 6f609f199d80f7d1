# EVF-SAM on SAM 1's ViT-H and BEiT-3 large: 637.0M + 672.7M + 1.3M + 4.1M parameters. SAM's tower is not trained.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(
        type='ReferringDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        zero_border=True,
        views=dict(joint=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]))),
    encoder=dict(
        type='EVFSAMEncoder',
        view='joint',
        segmenter=dict(type='SAMTower', architecture='huge', pretrained='data/sam_vit_h_4b8939.pth'),
        joint=dict(type='BEiT3Encoder', architecture='large', pretrained='data/beit3_large_patch16_224.pth')),
    neck=dict(type='PromptNeck', in_channels=1024, channels=256, pretrained='data/sam_vit_h_4b8939.pth'),
    head=dict(
        type='SAMMaskHead',
        channels=256,
        num_layers=2,
        num_heads=8,
        feedforward_channels=2048,
        pretrained='data/sam_vit_h_4b8939.pth'),
    losses=dict(
        bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0), dice=dict(type='DiceLoss', loss_weight=1.0)),
    frozen=['encoder.segmenter'],
    target_resize='area',
    protocol='evf_sam',
    # Each sentence has a copy of the maps in the mask decoder, and an image of its own in BEiT-3.
    max_expressions=16)
# Nothing reads BEiT-3's words after its last layer, and the MLPs of SAM's other masks and their quality are idle.
find_unused_parameters = True
