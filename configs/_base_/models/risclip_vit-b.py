# RISCLIP on CLIP ViT-B/16, first stage: adapters, CFE and SKE learn a map of the patches.
model = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(
        type='ReferringDataPreprocessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.3231631]),
    encoder=dict(
        type='RISCLIPEncoder',
        architecture='ViT-B-16',
        pretrained='openai',
        taps=(3, 6, 9, 12),
        value_path=True,
        adapter_ratio=0.5,
        cfe_blocks='all',
        cfe_channels=512,
        cfe_heads=8,
        ske_modules=6,
        ske_heads=8),
    frozen=['encoder.image', 'encoder.text'],
    # No decoder: the head takes patches and sentence from the joint space.
    neck=dict(type='JointSpaceNeck'),
    head=dict(type='CosineHead'),
    losses=dict(
        focal=dict(type='FocalLoss', loss_weight=1.75, alpha=0.65, gamma=2.0),
        dice=dict(type='DiceLoss', loss_weight=1.0)),
    # A patch is as much foreground as the mask covers of it.
    target_resize='area')
