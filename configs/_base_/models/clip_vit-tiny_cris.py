# The baseline at the size of the demo: 64 x 64 pixels, patches of 8, logits at half the input, 4M parameters, of which
# 3.2M embed words.
_base_ = './clip_vit-b_cris.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            embed_dim=96,
            vision_cfg=dict(image_size=64, patch_size=8, width=64, head_width=32, layers=3),
            text_cfg=dict(context_length=32, vocab_size=49408, width=64, heads=2, layers=2)),
        pretrained=None,
        taps=(1, 2, 3)),
    neck=dict(in_channels=(64, 64, 96), sentence_channels=96, out_channels=(16, 32, 64)),
    decoder=dict(channels=32, word_channels=64, num_layers=1, num_heads=2, feedforward_channels=128, dropout=0.0),
    # From scratch, kernels of the default size start with logits of several units: steps lost on shrinking them.
    head=dict(
        channels=32,
        sentence_channels=96,
        init_cfg=dict(type='Normal', layer=[], std=0.01, override=dict(name='kernel_projection'))),
    target_resize='area')
