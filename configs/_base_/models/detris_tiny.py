# DETRIS at the size of the demo: 64 x 64 pixels, patches of 8, logits at half the input. Nothing is frozen, since there
# are no weights of so small towers.
_base_ = './detris_vit-b.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            embed_dim=96,
            vision_cfg=dict(image_size=64, patch_size=8, width=64, head_width=32, layers=1),
            text_cfg=dict(context_length=32, vocab_size=49408, width=64, heads=2, layers=2)),
        pretrained=None,
        image=dict(
            architecture=dict(_delete_=True, layers=6, channels=64, heads=2, patch_size=8, image_size=64),
            taps=(2, 4, 6),
            pretrained=None),
        image_adapter_blocks=(2, 4, 6),
        image_adapter_channels=32,
        text_adapter_blocks=(2, ),
        text_adapter_channels=32,
        attention_channels=32,
        attention_heads=2,
        dropout=0.0,
        text_length=16),
    frozen=[],
    neck=dict(in_channels=(64, 64, 64), sentence_channels=96, channels=64),
    decoder=dict(channels=64, word_channels=64, num_layers=1, num_heads=2, feedforward_channels=128, dropout=0.0),
    # From scratch, kernels of the default size start with logits of several units: steps lost on shrinking them.
    head=dict(
        channels=64,
        sentence_channels=96,
        init_cfg=dict(type='Normal', layer=[], std=0.01, override=dict(name='kernel_projection'))),
    target_resize='area')
