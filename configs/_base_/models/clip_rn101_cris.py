# CRIS: its neck, decoder and head on CLIP RN101. 23.09M + 12.63M + 4.79M parameters.
_base_ = './clip_vit-b_cris.py'
model = dict(
    encoder=dict(architecture='RN101', taps=(2, 3, 4)),
    neck=dict(in_channels=(512, 1024, 512), sentence_channels=512))
