# CRIS at the size of the demo: 128 x 128 pixels, so that its three grids are 16, 8 and 4 cells wide and logits lie at a
# quarter of the input; 4.9M parameters, of which 3.2M embed words.
_base_ = './clip_vit-tiny_cris.py'
model = dict(
    encoder=dict(
        architecture=dict(
            vision_cfg=dict(_delete_=True, image_size=128, layers=[1, 1, 1, 1], width=16, head_width=32)),
        taps=(2, 3, 4)),
    neck=dict(in_channels=(128, 256, 96)))
