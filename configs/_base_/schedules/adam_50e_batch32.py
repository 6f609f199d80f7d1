# DETRIS on RefCOCOg (google), and with ViT-L: as adam_65e.py, but 50 epochs, a tenth of the rate from epoch 35 on.
_base_ = './adam_65e.py'
param_scheduler = [dict(type='MultiStepLR', milestones=[35], gamma=0.1, begin=0, end=50, by_epoch=True)]
train_cfg = dict(max_epochs=50)
