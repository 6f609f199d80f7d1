# RISCLIP on CLIP ViT-L/14, second stage.
_base_ = './risclip_vit-b_decoder.py'
quoted_costs = None
model = dict(
    encoder=dict(architecture='ViT-L-14', taps=(6, 12, 18, 24)),
    decoder=dict(in_channels=(1024, 1024, 1024, 1024)))
