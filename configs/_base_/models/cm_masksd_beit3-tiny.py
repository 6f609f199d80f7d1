# CM-MaskSD's two branches on BEiT-3 at the size of the demo: see cm_masksd_beit3-b.py.
_base_ = './cm_masksd_vit-tiny.py'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    encoder=dict(
        _delete_=True,
        type='BEiT3Encoder',
        architecture=dict(
            layers=3, channels=64, heads=4, patch_size=8, image_size=64, vocabulary=49408, text_positions=34),
        taps=(1, 2, 3),
        joint_channels=96))
