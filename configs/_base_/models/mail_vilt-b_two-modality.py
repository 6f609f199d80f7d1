# MaIL without masks: image and language alone.
_base_ = './mail_vilt-b.py'
model = dict(encoder=dict(masks=False), decoder=dict(mask_selection=False), auxiliary_losses=None)
