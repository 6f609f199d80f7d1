# EVF-SAM on SAM 1's ViT-L and BEiT-3 large: 308.3M + 672.7M + 1.3M + 4.1M parameters.
_base_ = './evf_sam_vit-h_beit3-l.py'
model = dict(
    encoder=dict(segmenter=dict(architecture='large', pretrained='data/sam_vit_l_0b3195.pth')),
    neck=dict(pretrained='data/sam_vit_l_0b3195.pth'),
    head=dict(pretrained='data/sam_vit_l_0b3195.pth'))
