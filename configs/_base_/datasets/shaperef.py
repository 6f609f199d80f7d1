# ShapeRef: made by `python tools/dataset_converters/make_shaperef.py`, in the files of RefCOCO.
data_root = 'data/shaperef'
refs_file = 'refs(unc).p'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='ReferringSampler', shuffle=True),
    # Several sentences of an image at once: the image is encoded once.
    dataset=dict(
        type='RefCOCODataset',
        data_root=data_root,
        refs_file=refs_file,
        split='train',
        group_by='image',
        expressions_per_image=4))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RefCOCODataset',
        data_root=data_root,
        refs_file=refs_file,
        split='val',
        group_by='image',
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='ReferringIoUMetric')
test_evaluator = dict(type='ReferringIoUMetric', by_skill=True)
val_cfg = dict(type='ValLoop')
test_cfg = dict(
    type='SplitTestLoop',
    splits=dict(val=dict(split='val'), testA=dict(split='testA'), testB=dict(split='testB')))
