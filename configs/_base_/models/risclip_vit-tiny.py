# RISCLIP at the size of the demo, first stage: 64 x 64 pixels, patches of 8.
_base_ = './risclip_vit-b.py'
model = dict(
    encoder=dict(
        architecture=dict(
            _delete_=True,
            embed_dim=64,
            vision_cfg=dict(image_size=64, patch_size=8, width=64, head_width=32, layers=4),
            text_cfg=dict(context_length=32, vocab_size=49408, width=64, heads=2, layers=4)),
        # The best checkpoint of vit-tiny_shaperef_towers.py.
        pretrained='work_dirs/vit-tiny_shaperef_towers',
        taps=(1, 2, 3, 4),
        cfe_channels=64,
        cfe_heads=2,
        ske_modules=2,
        ske_heads=2))
