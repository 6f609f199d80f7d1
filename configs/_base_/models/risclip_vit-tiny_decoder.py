# RISCLIP at the size of the demo, second stage: logits at the input's grid.
_base_ = './risclip_vit-tiny.py'
model = dict(
    frozen=['encoder'],
    neck=dict(with_stages=True),
    decoder=dict(type='LAVTDecoder', in_channels=(64, 64, 64, 64), channels=16, patch_map=True),
    head=dict(_delete_=True, type='ConvolutionHead', channels=16))
