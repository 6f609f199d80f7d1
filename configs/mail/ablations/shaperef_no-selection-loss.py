# MaIL on ShapeRef without the selection loss: which mask is meant is learned through the decoder alone.
# Paper: none; an ablation of ours.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/mail/ablations/shaperef_no-selection-loss.py
_base_ = '../tiny_shaperef.py'
work_dir = 'work_dirs/mail_shaperef_no-selection-loss'

model = dict(auxiliary_losses=None)
