# EVF-SAM at the size of the demo: both views of 64 x 64 pixels, patches of 4 for SAM's tower and 8 for BEiT-3, logits
# as large as the input. Nothing is pretrained, so SAM's tower is trained too.
_base_ = './evf_sam_vit-h_beit3-l.py'
model = dict(
    encoder=dict(
        segmenter=dict(
            pretrained=None,
            architecture=dict(
                _delete_=True,
                layers=2,
                channels=64,
                heads=2,
                global_layers=(2, ),
                patch_size=4,
                image_size=64,
                window_size=4,
                out_channels=64)),
        joint=dict(
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
            # BEiT-3 draws words 1 / sqrt(channels) as large as positions: too faint to be read early from scratch.
            init_cfg=dict(type='Normal', layer='Embedding', std=1.0))),
    # The prompt is one token beside five wider ones: begun as PyTorch does, it is too faint to be read early.
    neck=dict(in_channels=64, channels=64, pretrained=None, init_cfg=dict(type='Xavier', layer='Linear', gain=2.0)),
    head=dict(channels=64, num_heads=4, feedforward_channels=128, pretrained=None),
    # In place of BEiT-3's pretraining, which teaches it what in an image a sentence is about.
    auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss')),
    frozen=(),
    max_expressions=64)
