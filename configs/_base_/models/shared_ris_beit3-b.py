# Shared-RIS on BEiT-3 base: 221.0M + 8.4M + 3.2M + 5.5M parameters.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    encoder=dict(
        type='BEiT3Encoder',
        architecture='base',
        pretrained='data/beit3_base_patch16_224.pth',
        taps=(3, 6, 9, 12),
        norm_last_stage=True,
        drop_path=0.1),
    neck=dict(type='SharedFPN', in_channels=(768, 768, 768, 768), channels=512, num_heads=8),
    decoder=dict(type='SharedMaskDecoder', channels=512, num_layers=1, num_heads=8, mlp_ratio=4),
    head=dict(type='SimilarityHead', channels=512),
    losses=dict(
        bce=dict(type='BinaryCrossEntropyLoss', loss_weight=2.0), dice=dict(type='DiceLoss', loss_weight=0.5)),
    # The paper does not say; 'nearest' shifts masks by up to half a cell of the logits' grid.
    target_resize='area',
    # Each sentence has an image of its own in a joint encoder: fewer at once than with two towers.
    max_expressions=16)
