# The baseline at the size of the weights that the package ships: 80 x 80 pixels, patches of 8, logits at half the
# input, the words of ShapeRef.
_base_ = './clip_vit-tiny_cris.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            embed_dim=128,
            vision_cfg=dict(image_size=80, patch_size=8, width=128, head_width=32, layers=4),
            text_cfg=dict(context_length=12, vocab_size=48, width=128, heads=4, layers=2)),
        taps=(2, 3, 4)),
    neck=dict(in_channels=(128, 128, 128), sentence_channels=128, out_channels=(24, 48, 128)),
    decoder=dict(channels=48, word_channels=128, num_layers=2, num_heads=4, feedforward_channels=192),
    head=dict(channels=48, sentence_channels=128))
