# CLIP's towers at the size of the demo under CRIS's neck, decoder and head, all of it trained: what stands for
# pretraining where there are no published weights.
_base_ = './clip_vit-tiny_cris.py'
model = dict(
    encoder=dict(
        architecture=dict(embed_dim=64, vision_cfg=dict(layers=4), text_cfg=dict(width=64, layers=4)),
        taps=(2, 3, 4)),
    neck=dict(in_channels=(64, 64, 64), sentence_channels=64),
    head=dict(sentence_channels=64))
