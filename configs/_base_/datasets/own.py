# Data of your own, as convert_dataset writes it: data/own/{instances.json,refs(own).p}, images in data/own/images.
# --data-root, --refs-file and --image-folder name other places. See docs/own_data.md.
_base_ = './refcoco.py'
data_root = 'data/own'
refs_file = 'refs(own).p'
images = dict(img_path='images')

# An epoch is 100 steps of 8 objects, however many there are.
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    sampler=dict(draws=800),
    dataset=dict(data_root=data_root, refs_file=refs_file, data_prefix=images))
val_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, refs_file=refs_file, data_prefix=images))
test_dataloader = val_dataloader
test_cfg = dict(splits=dict(_delete_=True, val=dict(split='val')))
