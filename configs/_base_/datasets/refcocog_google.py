# RefCOCOg (google): data/refcocog/{instances.json,refs(google).p}. Train and val share images, not objects.
_base_ = './refcoco.py'

train_dataloader = dict(dataset=dict(data_root='data/refcocog', refs_file='refs(google).p'))
val_dataloader = dict(dataset=dict(data_root='data/refcocog', refs_file='refs(google).p'))
test_dataloader = val_dataloader
test_cfg = dict(_delete_=True, type='SplitTestLoop', splits=dict(val=dict(split='val')))
