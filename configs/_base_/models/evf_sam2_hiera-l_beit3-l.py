# EVF-SAM on SAM 2's Hiera-L and BEiT-3 large, the plain model: 212.7M + 672.7M + 1.3M + 4.2M parameters. Nothing of
# SAM 2 is trained.
_base_ = './evf_sam_vit-h_beit3-l.py'
model = dict(
    data_preprocessor=dict(zero_border=False),
    encoder=dict(segmenter=dict(type='SAM2Tower', architecture='large', pretrained='data/sam2_hiera_large.pt')),
    neck=dict(pretrained='data/sam2_hiera_large.pt'),
    head=dict(type='SAM2MaskHead', mask='stable', pretrained='data/sam2_hiera_large.pt'),
    frozen=['encoder.segmenter', 'head', 'neck.no_mask'],
    protocol='evf_sam2')
