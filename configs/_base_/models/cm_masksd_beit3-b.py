# CM-MaskSD's two branches on BEiT-3, with CRIS's neck, decoder and head. BEiT-3 fine-tuned has no space in common of
# image and text: a linear map of each modality stands for it, which begins at random and learns with the neck.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    encoder=dict(
        _delete_=True,
        type='BEiT3Encoder',
        architecture='base',
        pretrained='data/beit3_base_patch16_224.pth',
        taps=(4, 8, 12),
        joint_channels=512,
        drop_path=0.1),
    decoder=dict(word_channels=768),
    max_expressions=16)
