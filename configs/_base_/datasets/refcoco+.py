# RefCOCO+ (unc): data/refcoco+/{instances.json,refs(unc).p}.
_base_ = './refcoco.py'

train_dataloader = dict(dataset=dict(data_root='data/refcoco+'))
val_dataloader = dict(dataset=dict(data_root='data/refcoco+'))
test_dataloader = val_dataloader
