# Shared-RIS on BEiT-3 large: 690.8M parameters in all.
_base_ = './shared_ris_beit3-b.py'
model = dict(
    encoder=dict(architecture='large', pretrained='data/beit3_large_patch16_224.pth', taps=(6, 12, 18, 24)),
    neck=dict(in_channels=(1024, 1024, 1024, 1024)))
