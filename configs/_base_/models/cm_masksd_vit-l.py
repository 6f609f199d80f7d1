# CM-MaskSD on CLIP ViT-L/14.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    encoder=dict(architecture='ViT-L-14', taps=(8, 16, 24)),
    neck=dict(in_channels=(1024, 1024, 768), sentence_channels=768),
    decoder=dict(word_channels=768),
    head=dict(sentence_channels=768))
