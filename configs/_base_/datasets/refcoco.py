# RefCOCO (unc): data/refcoco/{instances.json,refs(unc).p}, images in data/coco/train2014. See docs/data.md.
# Pipelines belong to the methods, which differ in size, tokenizer and geometry.
data_root = 'data/refcoco'
refs_file = 'refs(unc).p'
images = dict(img_path='../coco/train2014')
# For methods that take them in; one file serves all sets on COCO's images. See docs/instance_masks.md.
instance_masks = dict(file='../coco/instance_masks.segm.json')

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='ReferringSampler', shuffle=True),
    # One random sentence of each referred object an epoch.
    dataset=dict(
        type='RefCOCODataset',
        data_root=data_root,
        refs_file=refs_file,
        data_prefix=images,
        split='train',
        group_by='ref',
        expressions_per_image=1))
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='EvaluationBatchSampler'),
    # All sentences of an image at once: the image is encoded once.
    dataset=dict(
        type='RefCOCODataset',
        data_root=data_root,
        refs_file=refs_file,
        data_prefix=images,
        split='val',
        group_by='image',
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='ReferringIoUMetric')
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(
    type='SplitTestLoop',
    splits=dict(val=dict(split='val'), testA=dict(split='testA'), testB=dict(split='testB')))
