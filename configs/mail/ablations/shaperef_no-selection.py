# MaIL on ShapeRef with mask tokens alone: no mask is selected, and the decoder sees none.
# Paper: none; an ablation of ours.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/mail/ablations/shaperef_no-selection.py
_base_ = '../tiny_shaperef.py'
work_dir = 'work_dirs/mail_shaperef_no-selection'

model = dict(decoder=dict(mask_selection=False), auxiliary_losses=None)
