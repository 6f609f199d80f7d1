# As vilt_384_40-tokens.py, with instance masks; for training also with their IoU with the ground truth.
_base_ = './vilt_384_40-tokens.py'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='LoadInstanceMasks'),
    dict(type='MatchInstances'),
    _base_.letterbox,
    dict(type='Tokenize', tokenizer=_base_.tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input', 'instance_iou']),
]
# Instances before the geometry, which the model sees; ground truth after it.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadInstanceMasks'),
    _base_.letterbox,
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=_base_.tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
