# RISCLIP on CLIP ViT-B/16, second stage: the decoder alone learns, on what the first stage has made of CLIP.
_base_ = './risclip_vit-b.py'
# Of RISCLIP by Shared-RIS, Table VI: what get_flops.py prints beside ours.
quoted_costs = dict(params=375e6, flops=1380e9)
model = dict(
    frozen=['encoder'],
    neck=dict(with_stages=True),
    decoder=dict(type='LAVTDecoder', in_channels=(768, 768, 768, 768), channels=768, patch_map=True),
    head=dict(_delete_=True, type='ConvolutionHead', channels=768, upsample=2),
    target_resize='nearest',
    # In evaluation a sentence takes about 0.8 GB in the decoder.
    max_expressions=8)
