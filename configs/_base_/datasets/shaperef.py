# ShapeRef: made by `mmris make_shaperef`, in the files of RefCOCO.
_base_ = './refcoco.py'
data_root = 'data/shaperef'
images = dict(img_path='images')
instance_masks = dict(file='instance_masks.json')

# Several sentences of an image at once: the image is encoded once.
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, data_prefix=images, group_by='image', expressions_per_image=4))
val_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(data_root=data_root, data_prefix=images))
test_dataloader = val_dataloader
test_evaluator = dict(by_skill=True)
