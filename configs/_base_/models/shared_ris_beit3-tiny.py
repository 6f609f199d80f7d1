# Shared-RIS at the size of the demo: 64 x 64 pixels, patches of 8, logits at half the input.
_base_ = './shared_ris_beit3-b.py'
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
            text_positions=34),
        pretrained=None,
        taps=(1, 2, 3, 4),
        drop_path=0.0,
        # BEiT-3 draws words 1 / sqrt(channels) as large as positions: too faint to be read early from scratch.
        init_cfg=dict(type='Normal', layer='Embedding', std=1.0)),
    neck=dict(in_channels=(64, 64, 64, 64), channels=32, num_heads=4),
    decoder=dict(channels=32, num_heads=4),
    head=dict(channels=32))
