# LAVT at the size of the demo: 64 x 64 pixels, three stages of 16, 8 and 4 cells a side, logits at the input's grid.
_base_ = './lavt_swin-b.py'
model = dict(
    encoder=dict(
        image=dict(
            architecture=dict(_delete_=True, layers=(2, 2, 2), channels=32, heads=(1, 2, 4), window=4),
            drop_path=0.0,
            pretrained=None,
            # Swin's own deviation of 0.02 is for layers many times as wide: of these it makes next to nothing.
            init_cfg=dict(
                type='Kaiming', layer='Linear', mode='fan_in', nonlinearity='linear', distribution='normal')),
        text=dict(
            architecture=dict(
                _delete_=True, layers=1, channels=64, heads=2, vocabulary=49408, text_positions=32),
            dropout=0.0,
            pretrained=None)),
    decoder=dict(in_channels=(32, 64, 128), channels=64),
    # At this size, aligned corners would shift masks by up to 1.5 pixels.
    head=dict(channels=64, align_corners=False),
    losses=dict(bce=dict(class_weights=None)))
