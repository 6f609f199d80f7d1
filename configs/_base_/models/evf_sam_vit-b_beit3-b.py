# EVF-SAM on SAM 1's ViT-B and BEiT-3 base: 89.7M + 221.0M + 0.8M + 4.1M parameters.
_base_ = './evf_sam_vit-h_beit3-b.py'
model = dict(
    encoder=dict(segmenter=dict(architecture='base', pretrained='data/sam_vit_b_01ec64.pth')),
    neck=dict(pretrained='data/sam_vit_b_01ec64.pth'),
    head=dict(pretrained='data/sam_vit_b_01ec64.pth'))
