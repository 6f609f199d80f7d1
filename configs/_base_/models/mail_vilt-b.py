# MaIL on ViLT's base: 111.0M + 2.7M parameters. A reconstruction: configs/mail/README.md.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    encoder=dict(
        type='TrimodalEncoder', architecture='base', masks=True, pretrained='data/vilt_200k_mlm_itm.ckpt'),
    neck=dict(type='JointSpaceNeck'),
    decoder=dict(type='ProgressiveDecoder', in_channels=768, channels=(256, 128, 64), mask_selection=True),
    head=dict(type='ConvolutionHead', channels=64),
    losses=dict(bce=dict(type='BinaryCrossEntropyLoss'), dice=dict(type='DiceLoss')),
    auxiliary_losses=dict(selection=dict(type='MaskSelectionLoss')),
    # 'nearest' shifts masks by up to half a cell of the logits' grid.
    target_resize='area',
    # Each sentence has an image of its own in a joint encoder: fewer at once than with two towers.
    max_expressions=16)
