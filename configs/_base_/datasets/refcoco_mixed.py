# RefCOCO, RefCOCO+ (unc) and RefCOCOg (umd) together: data/{refcoco,refcoco+,refcocog}, images in data/coco/train2014.
# No image of any val or test split is trained on, of whichever set and partition: see docs/data.md. Without one of
# the Google files: --cfg-options train_dataloader.dataset.exclude.refcoco_google=None
_base_ = './refcoco.py'
data_root = 'data'
images = dict(img_path='coco/train2014')
unc = dict(refs_file='refcoco/refs(unc).p', ann_file='refcoco/instances.json')
unc_plus = dict(refs_file='refcoco+/refs(unc).p', ann_file='refcoco+/instances.json')
umd = dict(refs_file='refcocog/refs(umd).p', ann_file='refcocog/instances.json')
google = dict(refs_file='refcocog/refs(google).p', ann_file='refcocog/instances.json')

train_dataloader = dict(
    # One random sentence of each referred object an epoch.
    dataset=dict(
        _delete_=True,
        type='MixedDataset',
        datasets={
            'refcoco': unc,
            'refcoco+': unc_plus,
            'refcocog': umd
        },
        exclude={
            'refcoco_unc': dict(refs_file='refcoco/refs(unc).p', splits=['val', 'testA', 'testB']),
            'refcoco_google': dict(refs_file='refcoco/refs(google).p', splits=['val', 'test']),
            'refcoco+_unc': dict(refs_file='refcoco+/refs(unc).p', splits=['val', 'testA', 'testB']),
            'refcocog_umd': dict(refs_file='refcocog/refs(umd).p', splits=['val', 'test']),
            'refcocog_google': dict(refs_file='refcocog/refs(google).p', splits=['val']),
        },
        data_root=data_root,
        data_prefix=images,
        split='train',
        group_by='ref',
        expressions_per_image=1))
# Checkpoints are picked on RefCOCO's val.
val_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=images, **unc))
test_dataloader = val_dataloader
test_cfg = dict(
    _delete_=True,
    type='SplitTestLoop',
    splits={
        'refcoco_val': dict(split='val', **unc),
        'refcoco_testA': dict(split='testA', **unc),
        'refcoco_testB': dict(split='testB', **unc),
        'refcoco+_val': dict(split='val', **unc_plus),
        'refcoco+_testA': dict(split='testA', **unc_plus),
        'refcoco+_testB': dict(split='testB', **unc_plus),
        'refcocog_umd_val': dict(split='val', **umd),
        'refcocog_umd_test': dict(split='test', **umd),
        'refcocog_google_val': dict(split='val', **google),
    })
