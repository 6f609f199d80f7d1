# MaIL without masks at the size of the demo.
_base_ = './mail_tiny.py'
model = dict(encoder=dict(masks=False), decoder=dict(mask_selection=False), auxiliary_losses=None)
