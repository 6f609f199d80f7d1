# gRefCOCO: data/grefcoco/{instances.json,grefs(unc).json}, images in data/coco/train2014. See docs/data.md.
# Its val has no sentence with a single target, so checkpoints are chosen on 3 % of the images of train, which are not
# trained on. Evaluation is on val, testA and testB.
_base_ = './refcoco.py'
files = dict(data_root='data/grefcoco', refs_file='grefs(unc).json')
train_dataloader = dict(dataset=dict(image_share=(0.03, 1.0), **files))
val_dataloader = dict(dataset=dict(split='train', image_share=(0.0, 0.03), **files))
test_dataloader = dict(dataset=dict(**files))
