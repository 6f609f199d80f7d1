# RefCOCOg (umd): data/refcocog/{instances.json,refs(umd).p}. Train and val share no image.
_base_ = './refcoco.py'

train_dataloader = dict(dataset=dict(data_root='data/refcocog', refs_file='refs(umd).p'))
val_dataloader = dict(dataset=dict(data_root='data/refcocog', refs_file='refs(umd).p'))
test_dataloader = val_dataloader
test_cfg = dict(_delete_=True, type='SplitTestLoop', splits=dict(val=dict(split='val'), test=dict(split='test')))
