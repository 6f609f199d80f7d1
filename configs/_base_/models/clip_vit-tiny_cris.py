# The baseline at the size of the demo: 64 x 64 pixels, patches of 8, logits at half the input.
_base_ = './clip_vit-b_cris.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            embed_dim=96,
            vision_cfg=dict(image_size=64, patch_size=8, width=96, head_width=24, layers=4),
            text_cfg=dict(context_length=32, vocab_size=49408, width=64, heads=4, layers=2)),
        pretrained=None,
        taps=(2, 3, 4)),
    neck=dict(in_channels=(96, 96, 96), sentence_channels=96, out_channels=(24, 48, 64)),
    decoder=dict(channels=48, word_channels=64, num_layers=2, num_heads=4, feedforward_channels=128, dropout=0.0),
    head=dict(channels=48, sentence_channels=96))
