# A handful of photographs, to train and evaluate on the same split: the score tells whether all from files to masks is
# whole, and nothing of generalisation. Any set in RefCOCO's files, named by --data-root and --refs-file.
_base_ = './shaperef.py'
# A stream without epochs, which for a handful of images would be a step or less; all sentences in each.
train_dataloader = dict(
    batch_size=12,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(split='val', expressions_per_image=None))
val_dataloader = dict(batch_size=4)
test_dataloader = val_dataloader
# Targets are covered shares of cells, so that a mask's edge lies at a half; at the usual 0.35 it lies outside.
val_evaluator = dict(threshold=0.5)
test_evaluator = dict(threshold=0.5)
test_cfg = dict(splits=dict(_delete_=True, val=dict(split='val')))
