# As clip_64_16-tokens.py, with instance masks; for training also with their IoU with the ground truth.
_base_ = './clip_64_16-tokens.py'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='LoadInstanceMasks'),
    dict(type='MatchInstances'),
    dict(type='Letterbox', size=64),
    dict(type='Tokenize', tokenizer=_base_.tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input', 'instance_iou']),
]
# Instances before the geometry, which the model sees; ground truth after it.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadInstanceMasks'),
    dict(type='Letterbox', size=64),
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=_base_.tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
