# CRIS: its neck, decoder and head on CLIP RN50. 24.14M + 12.63M + 5.97M parameters.
_base_ = './clip_vit-b_cris.py'
model = dict(
    encoder=dict(architecture='RN50', taps=(2, 3, 4)),
    neck=dict(in_channels=(512, 1024, 1024), sentence_channels=1024),
    head=dict(sentence_channels=1024))
