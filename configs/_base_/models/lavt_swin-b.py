# LAVT on Swin-B with windows of 12 cells, pretrained on ImageNet-22k, and BERT base uncased.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(
        type='ReferringDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    encoder=dict(
        type='LAVTEncoder',
        image=dict(
            type='PaddedSwin',
            architecture='base_window12',
            drop_path=0.3,
            pretrained='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
            'swin_base_patch4_window12_384_22k.pth'),
        text=dict(
            type='BERTTextTower',
            architecture=dict(name='base'),
            dropout=0.1,
            pretrained='https://huggingface.co/google-bert/bert-base-uncased/resolve/main/model.safetensors')),
    neck=dict(type='JointSpaceNeck', with_stages=True),
    decoder=dict(type='LAVTDecoder', form='lavt', in_channels=(128, 256, 512, 1024), channels=512),
    head=dict(type='ConvolutionHead', channels=512, upsample=4, two_classes=True, align_corners=True),
    losses=dict(bce=dict(type='BinaryCrossEntropyLoss', class_weights=(0.9, 1.1))),
    max_expressions=16)
