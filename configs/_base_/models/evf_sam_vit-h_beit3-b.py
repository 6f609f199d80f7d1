# EVF-SAM on SAM 1's ViT-H and BEiT-3 base: 637.0M + 221.0M + 0.8M + 4.1M parameters.
_base_ = './evf_sam_vit-h_beit3-l.py'
model = dict(
    encoder=dict(joint=dict(architecture='base', pretrained='data/beit3_base_patch16_224.pth')),
    neck=dict(in_channels=768))
