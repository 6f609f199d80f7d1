# MaIL at the size of the demo: 64 x 64 pixels, patches of 8, logits at half the input.
_base_ = './mail_vilt-b.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            layers=4,
            channels=64,
            heads=4,
            patch_size=8,
            image_size=64,
            vocabulary=49408,
            text_positions=16),
        pretrained=None),
    decoder=dict(in_channels=64, channels=(64, 32)),
    head=dict(channels=32))
