# MaIL on ShapeRef with the masks of other images, in training and evaluation alike: a control. It has all that
# tiny_shaperef.py has but what masks tell of the image.
# Paper: none; a control of ours.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see README.md beside this file.
# Command: mmris train configs/mail/tiny_shaperef_shuffled-masks.py
_base_ = './tiny_shaperef.py'
work_dir = 'work_dirs/mail_tiny_shaperef_shuffled-masks'

train_dataloader = dict(dataset=dict(control='shuffled_masks'))
val_dataloader = dict(dataset=dict(control='shuffled_masks'))
test_dataloader = val_dataloader
